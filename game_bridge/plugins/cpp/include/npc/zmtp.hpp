// ZMTP 3 as a DEALER, without a socket: bytes in, messages out, and the other way round. NULL and PLAIN.
// Bounded: a frame or a message over 16 MB, or of more than 16 frames, ends the connection before it is stored.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace npc {

using Frames = std::vector<std::string>;

class Zmtp {
public:
    static constexpr std::uint64_t kMaxMessageBytes = 16u << 20;
    static constexpr std::size_t kMaxFrames = 16;
    static constexpr std::size_t kMaxCommandBytes = 4096;
    enum class Trouble { none, protocol, authentication };

    // An empty token: mechanism NULL. Else PLAIN, the token being the password.
    explicit Zmtp(std::string user = "", std::string token = "") : user_(std::move(user)), token_(std::move(token)) {
        out_.append("\xFF\0\0\0\0\0\0\0\0\x7F\x03\0", 12);
        std::string name = mechanism();
        name.resize(20, '\0');
        out_ += name;
        out_.append(32, '\0');
    }

    bool is_ready() const { return step_ == Step::ready; }
    bool is_greeting() const { return step_ == Step::greeting; }
    // Whether the other side may be refusing the token: it has heard it and said nothing yet.
    bool is_authenticating() const { return step_ == Step::welcome; }
    Trouble trouble() const { return trouble_; }
    const std::string& problem() const { return problem_; }

    // Bytes that wait to be sent; sent() takes away those that were.
    std::string_view outgoing() const { return std::string_view(out_).substr(sent_); }
    void sent(std::size_t count) {
        sent_ += count;
        if (sent_ == out_.size() || sent_ > (1u << 20)) {
            out_.erase(0, sent_);
            sent_ = 0;
        }
    }

    void send(const Frames& frames) {
        for (std::size_t index = 0; index < frames.size(); ++index)
            put_frame(index + 1 < frames.size() ? kMore : 0u, frames[index]);
    }

    // Take what came. Messages are then in next(); false once there is trouble.
    bool feed(std::string_view bytes) {
        if (trouble_ != Trouble::none) return false;
        in_.append(bytes);
        std::size_t at = 0;
        while (trouble_ == Trouble::none && (step_ == Step::greeting ? take_greeting(at) : take_frame(at))) {
        }
        in_.erase(0, at);
        return trouble_ == Trouble::none;
    }

    bool next(Frames& message) {
        if (messages_.empty()) return false;
        message = std::move(messages_.front());
        messages_.pop_front();
        return true;
    }

private:
    enum class Step { greeting, welcome, ready_command, ready };
    static constexpr unsigned kMore = 1, kLong = 2, kCommand = 4;

    std::string mechanism() const { return token_.empty() ? "NULL" : "PLAIN"; }

    bool take_greeting(std::size_t& at) {
        if (!in_.empty() && in_[0] != '\xFF') return fail(Trouble::protocol, "what answers is no bridge server");
        if (in_.size() < 64) return false;
        if (in_[9] != '\x7F' || in_[10] < 3) return fail(Trouble::protocol, "the other side does not speak ZMTP 3");
        const std::string theirs(in_.c_str() + 12);
        if (theirs.substr(0, 20) != mechanism())
            return fail(Trouble::authentication, token_.empty() ? "a token is wanted" : "no token is wanted");
        at = 64;
        if (token_.empty()) {
            put_command(named("READY") + properties());
            step_ = Step::ready_command;
        } else {
            put_command(named("HELLO") + short_text(user_) + short_text(token_));
            step_ = Step::welcome;
        }
        return true;
    }

    bool take_frame(std::size_t& at) {
        const std::size_t left = in_.size() - at;
        if (left < 2) return false;
        const unsigned flags = static_cast<unsigned char>(in_[at]);
        if (flags > 7 || (flags & kCommand && flags & kMore)) return fail(Trouble::protocol, "wrong flags");
        const std::size_t width = flags & kLong ? 8 : 1;
        if (left < 1 + width) return false;
        std::uint64_t length = 0;
        for (std::size_t index = 1; index <= width; ++index)
            length = length << 8 | static_cast<unsigned char>(in_[at + index]);
        if (length > kMaxMessageBytes - gathered_bytes_ || (flags & kCommand && length > kMaxCommandBytes))
            return fail(Trouble::protocol, "a frame of " + std::to_string(length) + " bytes is too large");
        if (left - 1 - width < length) return false;
        std::string body = in_.substr(at + 1 + width, static_cast<std::size_t>(length));
        at += 1 + width + body.size();
        return flags & kCommand ? take_command(body) : gather(std::move(body), flags & kMore);
    }

    bool gather(std::string body, unsigned more) {
        if (step_ != Step::ready) return fail(Trouble::protocol, "a message before the handshake ended");
        if (gathered_.size() == kMaxFrames) return fail(Trouble::protocol, "a message of more than 16 frames");
        gathered_bytes_ += body.size();
        gathered_.push_back(std::move(body));
        if (more != 0) return true;
        messages_.push_back(std::move(gathered_));
        gathered_.clear();
        gathered_bytes_ = 0;
        return true;
    }

    bool take_command(const std::string& body) {
        const auto is = [&](const char* name) { return body.rfind(named(name), 0) == 0; };
        if (step_ == Step::ready) {
            if (is("PING")) put_command(named("PONG") + (body.size() > 7 ? body.substr(7, 16) : ""));
            return true;  // other commands are not for us
        }
        if (step_ == Step::welcome) {
            // libzmq does not spell its refusal cleanly, so whatever is no welcome is one
            if (!is("WELCOME")) return fail(Trouble::authentication, "the server refused the token");
            put_command(named("INITIATE") + properties());
            step_ = Step::ready_command;
            return true;
        }
        if (!is("READY")) return fail(Trouble::authentication, "the server refused the connection");
        step_ = Step::ready;
        return true;
    }

    static std::string short_text(const std::string& text) {
        const std::string kept = text.substr(0, 255);
        return std::string(1, static_cast<char>(kept.size())) + kept;
    }
    static std::string named(const char* name) { return short_text(name); }

    // Socket-Type DEALER and an empty Identity, by which the server tells a reconnected client from the old one.
    static std::string properties() {
        const std::string type = named("Socket-Type") + std::string("\0\0\0\x06", 4) + "DEALER";
        return type + named("Identity") + std::string(4, '\0');
    }

    void put_command(const std::string& body) { put_frame(kCommand, body); }

    void put_frame(unsigned flags, const std::string& body) {
        const bool is_long = body.size() > 255;
        out_.push_back(static_cast<char>(flags | (is_long ? kLong : 0u)));
        for (int shift = is_long ? 56 : 0; shift >= 0; shift -= 8)
            out_.push_back(static_cast<char>(static_cast<std::uint64_t>(body.size()) >> shift & 0xFF));
        out_ += body;
    }

    bool fail(Trouble trouble, std::string problem) {
        trouble_ = trouble;
        problem_ = std::move(problem);
        return false;
    }

    std::string user_, token_, in_, out_, problem_;
    std::size_t sent_ = 0;
    Step step_ = Step::greeting;
    Trouble trouble_ = Trouble::none;
    Frames gathered_;
    std::uint64_t gathered_bytes_ = 0;
    std::deque<Frames> messages_;
};

}  // namespace npc
