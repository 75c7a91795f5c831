// Talk to an NPC in a terminal: talk HOST PORT TOKEN NPC_ID. The loop stands for a game's frames.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "npc/conversation.hpp"

// What the player types, read by a thread of its own: a loop that waited for a line would not poll, and the server
// takes a game that is silent for gone.
class Typed {
public:
    void read() {
        for (std::string line; std::getline(std::cin, line);) {
            const std::lock_guard<std::mutex> guard(mutex_);
            lines_.push_back(line);
        }
        const std::lock_guard<std::mutex> guard(mutex_);
        is_over_ = true;
    }
    bool take(std::string& line) {
        const std::lock_guard<std::mutex> guard(mutex_);
        if (lines_.empty()) return false;
        line = lines_.front();
        lines_.pop_front();
        return true;
    }
    bool is_over() {
        const std::lock_guard<std::mutex> guard(mutex_);
        return is_over_ && lines_.empty();
    }

private:
    std::mutex mutex_;
    std::deque<std::string> lines_;
    bool is_over_ = false;
};

static void tell(const npc::Error& error) {
    const char* join = error.hint.empty() ? "" : "; ";
    std::printf("[%s: %s%s%s]\n", error.code.c_str(), error.message.c_str(), join, error.hint.c_str());
}

int main(int count, char** arguments) {
    if (count != 5) {
        std::fprintf(stderr, "usage: %s HOST PORT TOKEN NPC_ID   (TOKEN may be \"\")\n", arguments[0]);
        return 2;
    }
    std::setvbuf(stdout, nullptr, _IONBF, 0);  // words are shown as they come
    npc::ClientOptions options;
    options.host = arguments[1];
    options.port = static_cast<std::uint16_t>(std::atoi(arguments[2]));
    options.token = arguments[3];
    const std::string npc_id = arguments[4];

    bool is_idle = false;
    int status = 0;
    npc::Client client(options);
    npc::Conversation conversation(client, npc_id, "Robin");
    conversation.on_greeting([&](const std::string& text) { std::printf("%s\n", text.c_str()), is_idle = true; });
    conversation.on_refused([&](const npc::Error& error) {
        if (error.code == "connection_lost") return;  // on_lost tells of it, and on_connected opens it again
        tell(error);
        status = 1;
        client.bye();
    });
    client.on_connected = [&](const npc::Welcome&) {
        // what the NPC holds; before the game has told it, it cannot give it
        client.set_state({{"holds", npc::Array{"sword"}}}, npc_id);
        conversation.open();
    };
    client.on_lost = [&](const npc::Error& error) {
        tell(error);
        if (error.is_retryable && error.code != "auth") return;
        status = 1;
        client.close();
    };
    client.connect();

    npc::Listener listener;
    listener.on_text = [](const std::string& piece) { std::printf("%s", piece.c_str()); };
    listener.on_tool_call = [&](const npc::ToolCall& call) {
        std::printf("[%s: done]", call.name.c_str());
        client.accept(call, npc::Map{{"done", true}});
    };
    listener.on_finished = [&](const npc::Finished&) { std::printf("\n"), is_idle = true; };
    listener.on_failed = [&](const npc::Failed& failed) {
        std::printf("[%s]\n", failed.error.message.c_str());
        is_idle = true;
    };

    const auto typed = std::make_shared<Typed>();
    std::thread([typed] { typed->read(); }).detach();  // it may wait for a line for ever
    while (client.is_open()) {
        client.poll();
        std::string line;
        if (is_idle && typed->take(line)) {
            is_idle = false;
            conversation.ask(line, listener);
        } else if (is_idle && typed->is_over()) {
            is_idle = false;
            client.bye();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(16));
    }
    return status;
}
