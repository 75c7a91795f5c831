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
        away_ = kAway;
        begin();
    }

    // Say goodbye. When it is answered, or nobody answers, the socket closes: is_open() is then false.
    void bye() {
        if (!is_connected() || is_interrupted()) return close();
        is_leaving_ = true;
        Protocol::bye([this, attempt = attempts_](const Error*, const Value&) {
            if (attempt == attempts_) finish(lost("the client said goodbye"));
        });
    }

    // Now, without a goodbye: everything open ends with connection_lost.
    void close() {
        is_leaving_ = true;
        finish(lost("the client was closed"));
        if (!is_polling_) run_later();
    }

    // Whether there is a connection, or one is being made or waited for.
    bool is_open() const { return state_ != State::closed; }

    // Once a frame. All callbacks come from here (and from close); a poll within a callback does nothing.
    void poll() {
        if (is_polling_) return;
        const Polling guard(is_polling_);
        run_later();
        // judged as of before the reading: a game that stood still first hears what came meanwhile
        const double now = now_s();
        if (state_ == State::waiting && is_interrupted() && now_s() > resume_until_s_) sever(broken_);
        if (state_ == State::waiting && now_s() >= retry_at_s_) begin();
        if (state_ == State::connecting) finish_connect();
        if (state_ == State::open) exchange();
        if (state_ == State::open || state_ == State::connecting) mind_time(now);
        if (state_ != State::open || full_polls_ % kMaxFullPolls == 0) end_overdue(now);
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
        if (is_final) {
            finish(error);
        } else {
            drop(error);
            away_ = error;
            wait((std::min)(wait_s_, options_.longest_wait_s));
        }
        if (is_told) later([this, error] { tell(on_lost, error); });
    }

    bool is_dialling() const override { return state_ != State::closed && !is_leaving_; }

    double now_s() const override {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }

private:
    enum class State { closed, waiting, connecting, open };
    static constexpr std::size_t kMaxWaitingBytes = 64u << 20;
    static constexpr double kFirstResumeWait_s = 0.1, kLongestResumeWait_s = 1.0;
    static constexpr double kLeastSilence_s = 2.0, kLeastBeat_s = 0.05;
    static constexpr int kLeastSilentBeats = 3;
    static constexpr std::size_t kReadBytes = 64u << 10, kReadsAtOnce = 8;
    static constexpr std::size_t kMaxFullPolls = 32;  // a server that never stops must not stop the clock

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

    // Read what came, hand it out, and write what waits: a break is seen when all before it was heard, a goodbye for
    // one. A bounded amount, so that a flood costs no frame.
    void exchange() {
        ++full_polls_;
        for (std::size_t reads = 0; reads < kReadsAtOnce && state_ == State::open; ++reads) {
            buffer_.resize(kReadBytes);
            const long count = socket_.read(&buffer_[0], buffer_.size());
            if (count <= 0) full_polls_ = 0;
            if (count < 0) return come_back(closed_error());
            if (count == 0) break;
            silent_beats_ = 0;
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
            ping_at_s_ = now_s() + beat_s();
            silent_beats_ = 0;
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

    double beat_s() const {
        const Limits& limits = welcome().limits;
        return (std::max)(kLeastBeat_s, (std::min)(limits.heartbeat_s, limits.idle_s / 3));
    }

    // Beats are counted, not seconds: a game that stood still has not heard that nobody spoke. The last beat leaves no
    // time for an answer, and does not count.
    bool is_silent() const {
        double patience_s = welcome().limits.idle_s;
        if (!welcome().resume.empty())
            patience_s = (std::min)(patience_s, (std::max)(kLeastSilentBeats * beat_s(), kLeastSilence_s));
        return (silent_beats_ - 1) * beat_s() >= patience_s;
    }

    void mind_time(double now) {
        if (!is_connected() || is_interrupted()) {
            if (now > deadline_s_) come_back(lost(place() + " did not answer in time"));
            return;
        }
        if (is_silent()) return come_back(lost(place() + " is silent"));
        if (now < ping_at_s_) return;
        ping_at_s_ = now + beat_s();
        ++silent_beats_;
        order({{"type", "ping"}});
    }

    void finish(const Error& error) {
        drop(error);
        end_early(error);
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
    double resume_until_s_ = 0, deadline_s_ = 0, retry_at_s_ = 0, wait_s_ = 0, ping_at_s_ = 0;
    std::int64_t silent_beats_ = 0;  // sent since something came
    std::size_t full_polls_ = 0;     // one after the other that left something to read
};

}  // namespace npc
