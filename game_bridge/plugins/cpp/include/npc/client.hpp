// The client of a game: connects, reads and writes in poll(), notices a dead server, reconnects with back-off.
// One thread: call everything from the one that calls poll(), once a frame. No call waits, none throws.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "protocol.hpp"
#include "socket.hpp"

namespace npc {

struct ClientOptions {
    std::string host = "127.0.0.1";  // a numeric address, or localhost
    std::uint16_t port = 5577;
    std::string token;  // empty: the server runs without authentication
    std::string user = "game";
    std::string name = "npc-sdk cpp";  // who connects, for the server's log
    double timeout_s = 5.0;            // to connect and shake hands, and for each answer
    bool reconnects = true;
    double first_wait_s = 0.25, longest_wait_s = 5.0;  // between attempts, doubled each time
};

class Client : public Protocol {
public:
    explicit Client(ClientOptions options) : options_(std::move(options)) { answer_timeout_s_ = options_.timeout_s; }
    // What is open ends here, so declare the client after what its callbacks use.
    ~Client() override { close(); }

    // A new token after a restart of the server, for one; counts from the next connect on.
    ClientOptions& options() { return options_; }

    // Begin; on_connected follows from poll(), or on_lost with the reason and then the next attempt.
    void connect() {
        if (state_ != State::closed && state_ != State::waiting) return;
        wait_s_ = options_.first_wait_s;
        is_leaving_ = false;
        begin();
    }

    // Say goodbye. When it is answered, or nobody answers, the socket closes: is_open() is then false.
    void bye() {
        if (!is_connected() || is_interrupted()) return close();
        is_leaving_ = true;
        Protocol::bye([this, attempt = attempts_](const Error*, const Value&) {
            if (attempt == attempts_) drop(lost("the client said goodbye"));
        });
    }

    // Now, without a goodbye: everything open ends with connection_lost.
    void close() {
        is_leaving_ = true;
        drop(lost("the client was closed"));
        if (!is_polling_) run_later();
    }

    // Whether there is a connection, or one is being made or waited for.
    bool is_open() const { return state_ != State::closed; }

    // Once a frame. All callbacks come from here (and from close); a poll within a callback does nothing.
    void poll() {
        if (is_polling_) return;
        const Polling guard(is_polling_);
        run_later();
        if (state_ == State::waiting && is_interrupted() && now_s() > resume_until_s_) sever(broken_);
        if (state_ == State::waiting && now_s() >= retry_at_s_) begin();
        if (state_ == State::connecting) finish_connect();
        if (state_ == State::open) exchange();
        if (state_ == State::open || state_ == State::connecting) mind_time();
        end_overdue();
        run_later();
    }

protected:
    void transmit(const Frames& frames) override {
        zmtp_->send(frames);
        if (zmtp_->outgoing().size() > kMaxWaitingBytes) sever(lost("the server takes no messages"));
    }

    void sever(const Error& error) override {
        if (state_ == State::closed || (state_ == State::waiting && !is_interrupted())) return;
        const bool is_hopeless = (error.code == "auth" || error.code == "version") && !error.is_retryable;
        const bool is_final = is_leaving_ || !options_.reconnects || is_hopeless;
        const bool is_told = !is_leaving_;
        drop(error);
        if (!is_final) wait((std::min)(wait_s_, options_.longest_wait_s));
        if (is_told) later([this, error] { tell(on_lost, error); });
    }

    double now_s() const override {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }

private:
    enum class State { closed, waiting, connecting, open };
    static constexpr std::size_t kMaxWaitingBytes = 64u << 20;
    static constexpr double kFirstResumeWait_s = 0.1, kLongestResumeWait_s = 1.0;
    static constexpr std::size_t kReadBytes = 64u << 10, kReadsAtOnce = 8;

    struct Polling {
        explicit Polling(bool& flag) : is_polling(flag) { is_polling = true; }
        ~Polling() { is_polling = false; }
        bool& is_polling;
    };

    static Error lost(const std::string& message) { return {"connection_lost", message, "connect again", true}; }
    std::string place() const { return options_.host + ":" + std::to_string(options_.port); }

    void begin() {
        ++attempts_;
        zmtp_ = std::make_unique<Zmtp>(options_.user, options_.token);
        deadline_s_ = now_s() + options_.timeout_s;
        state_ = State::connecting;
        if (options_.token.size() > 255 || options_.user.size() > 255)
            return sever({"auth", "a token or a user of more than 255 bytes", "", false});
        if (socket_.begin(options_.host, options_.port) == Socket::Progress::failed)
            sever(is_interrupted() ? broken_ : lost("no way to " + place() + ", numeric address or localhost needed"));
    }

    void finish_connect() {
        const Socket::Progress progress = socket_.progress();
        // a port where nobody listens is a server that ended, with all that it knew: then there is nothing to wait for
        if (progress == Socket::Progress::failed)
            return sever(is_interrupted() ? broken_ : lost("nobody answers at " + place()));
        if (progress == Socket::Progress::done) state_ = State::open;
    }

    // Write what waits, read what came, and hand it out; a bounded amount, so that a flood costs no frame.
    void exchange() {
        write_all();
        for (std::size_t reads = 0; reads < kReadsAtOnce && state_ == State::open; ++reads) {
            buffer_.resize(kReadBytes);
            const long count = socket_.read(&buffer_[0], buffer_.size());
            if (count < 0) return come_back(closed_error());
            if (count == 0) break;
            heard_s_ = now_s();
            zmtp_->feed(std::string_view(buffer_).substr(0, static_cast<std::size_t>(count)));
            hand_out();
        }
        if (state_ == State::open) write_all();
    }

    void hand_out() {
        const Zmtp* from = zmtp_.get();
        if (zmtp_->is_ready() && !is_greeted_) greet();
        Frames message;
        // a callback may close the connection, or close and begin another
        while (state_ == State::open && zmtp_.get() == from && zmtp_->next(message)) receive(message);
        if (state_ != State::open || zmtp_.get() != from || zmtp_->trouble() == Zmtp::Trouble::none) return;
        const bool is_refused = zmtp_->trouble() == Zmtp::Trouble::authentication;
        sever({is_refused ? "auth" : "protocol", place() + ": " + zmtp_->problem(),
               is_refused ? "check the token that the server was started with" : "", false});
    }

    void greet() {
        is_greeted_ = true;
        hello(options_.name, [this, attempt = attempts_](const Error* error, const Value&) {
            if (attempt != attempts_ || state_ != State::open) return;
            if (error != nullptr) return error->code == "timeout" ? come_back(*error) : sever(*error);
            const bool was_broken = std::exchange(is_back_, false);
            wait_s_ = options_.first_wait_s;
            ping_at_s_ = now_s() + welcome().limits.heartbeat_s;
            if (was_broken && welcome().is_resumed) return tell(on_resumed);
            if (was_broken) later([this] { tell(on_lost, kForgotten); });
            later([this] { tell(on_connected, welcome()); });
        });
    }

    // The connection broke: make it anew and go on, if the server gave a key; else it is lost.
    void come_back(const Error& error) {
        if (is_leaving_ || !is_connected() || welcome().resume.empty()) return sever(error);
        if (!is_interrupted()) {
            is_interrupted_ = is_back_ = true;
            broken_ = {"connection_lost", error.message, "connect again", true};
            resume_until_s_ = now_s() + welcome().resume_s;
            wait_s_ = kFirstResumeWait_s;
            later([this] { tell(on_interrupted, broken_); });
        }
        socket_.close();
        is_greeted_ = is_greeting_ = false;
        wait((std::min)(wait_s_, kLongestResumeWait_s));
    }

    void write_all() {
        while (!zmtp_->outgoing().empty()) {
            const std::string_view bytes = zmtp_->outgoing();
            const long count = socket_.write(bytes.data(), (std::min)(bytes.size(), std::size_t(1) << 20));
            if (count < 0) return come_back(closed_error());
            if (count == 0) return;
            zmtp_->sent(static_cast<std::size_t>(count));
        }
    }

    // libzmq closes in the middle of the greeting, without a word, where only one side has a token.
    Error closed_error() const {
        Error error = lost(place() + " closed the connection");
        if (zmtp_->is_greeting()) {
            error.code = "auth";  // it may also be going away, so it is tried again
            error.message = place() + " lets nobody in with" + (options_.token.empty() ? "out" : "") + " a token";
            error.hint = options_.token.empty() ? "it may want a token" : "it may take no token";
        }
        if (zmtp_->is_authenticating()) {
            error.code = "auth";
            error.hint = "check the token that the server was started with";
        }
        return error;
    }

    void mind_time() {
        const double now = now_s();
        if (!is_connected() || is_interrupted()) {
            if (now > deadline_s_) come_back(lost(place() + " did not answer in time"));
            return;
        }
        if (now - heard_s_ > welcome().limits.idle_s) return sever(lost(place() + " is silent"));
        if (now < ping_at_s_) return;
        ping_at_s_ = now + welcome().limits.heartbeat_s;
        order({{"type", "ping"}});
    }

    void drop(const Error& error) {
        socket_.close();
        state_ = State::closed;
        is_greeted_ = is_back_ = false;
        end_all(error);
    }

    // Up to a quarter less than the back-off says: clients that were cut together do not come back together.
    void wait(double wait_s) {
        state_ = State::waiting;
        const double share = 1.0 - 0.25 * static_cast<double>(random_() - random_.min()) /
                                       static_cast<double>(random_.max() - random_.min());
        retry_at_s_ = now_s() + wait_s * share;
        wait_s_ = wait_s * 2;
    }

    ClientOptions options_;
    Socket socket_;
    std::unique_ptr<Zmtp> zmtp_;
    std::string buffer_;
    std::minstd_rand random_{std::random_device{}()};
    State state_ = State::closed;
    bool is_polling_ = false, is_greeted_ = false, is_leaving_ = false;
    bool is_back_ = false;  // the next welcome tells whether what broke goes on
    Error broken_;
    std::int64_t attempts_ = 0;
    double resume_until_s_ = 0, deadline_s_ = 0, retry_at_s_ = 0, wait_s_ = 0, heard_s_ = 0, ping_at_s_ = 0;
};

}  // namespace npc
