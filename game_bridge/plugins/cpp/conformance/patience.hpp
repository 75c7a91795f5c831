// A game that stands still, and a line that falls silent, over a socket. The clock is put forward, the server played.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "npc/client.hpp"

class Driven : public npc::Client {
public:
    using npc::Client::Client;
    double ahead_s = 0;

protected:
    double now_s() const override { return npc::Client::now_s() + ahead_s; }
};

// What stands still in between does so for an hour; what is waited for may take a minute.
class Patience {
public:
    explicit Patience(std::uint16_t port) : client_(options(port)) {
        client_.on_lost = [this](const npc::Error& error) { lost_ = error.code + " " + error.message; };
        client_.on_interrupted = [this](const npc::Error&) { is_interrupted_ = true; };
        client_.on_resumed = [this] { is_resumed_ = true; };
    }

    int run() {
        std::string code = "none";
        client_.connect();
        tell("connected", until([this] { return client_.is_connected(); }));
        client_.set_state({{"weather", "rain"}}, "", [&](const npc::Outcome<npc::Value>& outcome) {
            code = outcome ? "taken" : outcome.error.code;
        });
        client_.poll();
        std::getchar();  // the answer is there, and has not been read
        client_.ahead_s += kHour_s;
        client_.poll();
        std::printf("answer %s\n", code.c_str());
        client_.ahead_s += kHour_s;  // while nobody spoke
        client_.poll();
        client_.poll();
        tell("sound", client_.is_connected() && !is_interrupted_);
        for (int beats = 0; beats < kMostBeats && !is_interrupted_; ++beats) {
            client_.ahead_s += 1;
            client_.poll();
        }
        tell("interrupted", is_interrupted_);
        tell("resumed", until([this] { return is_resumed_; }));
        std::printf("lost %s\n", lost_.c_str());
        return 0;
    }

private:
    static constexpr double kHour_s = 3600;
    static constexpr int kMostBeats = 30;

    static npc::ClientOptions options(std::uint16_t port) {
        npc::ClientOptions options;
        options.port = port;
        options.timeout_s = 60;
        return options;
    }
    static void tell(const char* what, bool is_so) { std::printf("%s %s\n", what, is_so ? "yes" : "no"); }

    bool until(const std::function<bool()>& is_so) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!is_so() && std::chrono::steady_clock::now() < end) {
            client_.poll();
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return is_so();
    }

    std::string lost_;
    bool is_interrupted_ = false, is_resumed_ = false;
    Driven client_;
};
