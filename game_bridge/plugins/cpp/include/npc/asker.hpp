// What a game can ask of a server and get one answer to: refs, time-outs, limits. Used through client.hpp.
// Every answer, or the error in its place, comes exactly once.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ledger.hpp"
#include "message.hpp"
#include "msgpack.hpp"
#include "zmtp.hpp"

namespace npc {

constexpr int kProtocol = 1;

// An answer, or the error that came in its place.
template <class Answer>
struct Outcome {
    bool is_ok = false;
    Answer answer;
    Error error;
    explicit operator bool() const { return is_ok; }
};
template <class Answer>
using Then = std::function<void(const Outcome<Answer>&)>;

class Asker {
public:
    virtual ~Asker() = default;
    Asker() = default;
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    std::function<void(const Welcome&)> on_connected;  // every time: also after a reconnect, with no sessions
    std::function<void(const Error&)> on_lost;
    std::function<void(const Error&)> on_interrupted;  // it broke, and is made anew: what is open goes on afterwards,
    std::function<void()> on_resumed;                  // or ends where on_lost comes instead of this
    std::function<void(const Error&)> on_warning;  // what went wrong and nobody else hears of
    std::function<void(const Value&)> on_edited;   // set before connect: edits of the world's files

    bool is_connected() const { return is_welcome_; }  // also while it is interrupted
    bool is_interrupted() const { return is_interrupted_; }
    const Welcome& welcome() const { return welcome_; }
    std::int64_t connections() const { return connections_; }  // so far; sessions end with their connection

    void talk(const std::string& npc_id, const std::string& player, Then<Talking> then) {
        const auto read = [](const Value& body) {
            return Talking{body.text_of("session_id"), body.text_of("npc_id"), body.text_of("greeting")};
        };
        ask({{"type", "talk"}, {"npc_id", npc_id}, {"player", player}}, "talking", "", typed<Talking>(then, read));
    }
    void leave(const std::string& session_id, Then<Value> then = nullptr) {
        ask({{"type", "leave"}, {"session_id", session_id}}, "left", "", whole(then));
    }
    // Variables for prompts; of the whole world where npc_id is empty.
    void set_state(Map values, const std::string& npc_id = "", Then<Value> then = nullptr) {
        Map body = {{"type", "state"}, {"values", std::move(values)}};
        if (!npc_id.empty()) body.emplace_back("npc_id", npc_id);
        ask(std::move(body), "state_ok", "state", whole(then));
    }
    // A new fact; then gets the id for forget.
    void learn(const std::string& npc_id, const std::string& text, const std::string& source,
               Then<std::string> then = nullptr) {
        ask({{"type", "learn"}, {"npc_id", npc_id}, {"text", text}, {"source", source}}, "learned", "learn",
            typed<std::string>(then, [](const Value& body) { return body.text_of("entry_id"); }));
    }
    // An entry of the lore that the NPC's scopes would keep from it.
    void learn_entry(const std::string& npc_id, const std::string& entry_id, const std::string& source,
                     Then<std::string> then = nullptr) {
        ask({{"type", "learn"}, {"npc_id", npc_id}, {"entry_id", entry_id}, {"source", source}}, "learned", "learn",
            typed<std::string>(then, [](const Value& body) { return body.text_of("entry_id"); }));
    }
    void forget(const std::string& npc_id, const std::string& entry_id, Then<Value> then = nullptr) {
        ask({{"type", "forget"}, {"npc_id", npc_id}, {"entry_id", entry_id}}, "noted", "learn", whole(then));
    }
    // One of the world's events came about; then gets how the NPC feels now.
    void happen(const std::string& event, const std::string& npc_id, const std::string& player,
                Then<Felt> then = nullptr) {
        ask({{"type", "happen"}, {"event", event}, {"npc_id", npc_id}, {"player", player}}, "felt", "happen",
            typed<Felt>(then, [](const Value& body) { return Felt{body.text_of("mood"), *body.find("relation")}; }));
    }
    void ping(Then<Value> then) { ask({{"type", "ping"}}, "pong", "", whole(then)); }
    // What this connection has open, the oldest first.
    void sessions(Then<std::vector<SessionEntry>> then) {
        ask({{"type", "sessions"}}, "session_list", "sessions",
            typed<std::vector<SessionEntry>>(then, [](const Value& body) {
                std::vector<SessionEntry> open;
                for (const Value& one : *body.find("sessions")->array())
                    open.push_back({one.text_of("session_id"), one.text_of("npc_id"), one.text_of("player"),
                                    one.text_of("request_id")});
                return open;
            }));
    }
    void stats(Then<Value> then) { ask({{"type", "stats"}}, "figures", "stats", whole(then)); }

    // Hints: they save time, nobody answers them, and a server that does not know them is not sent them.
    void approach(const std::string& npc_id, const std::string& player) {
        hint({{"type", "approach"}, {"npc_id", npc_id}, {"player", player}}, "approach");
    }
    void typing(const std::string& session_id, const std::string& text) {
        hint({{"type", "typing"}, {"session_id", session_id}, {"text", text}}, "typing");
    }
    void note_frame(double frame_s) { hint({{"type", "frame"}, {"frame_s", frame_s}}, "frame"); }

protected:
    using Done = std::function<void(const Error*, const Value&)>;

    virtual void transmit(const Frames& frames) = 0;
    virtual double now_s() const = 0;
    // Whether a connection is being made or waited for: what is asked before its welcome then waits for that.
    virtual bool is_dialling() const { return false; }

    // The first message of a connection; after a break it asks for what was open.
    void hello(const std::string& client, Done done) {
        Map body = {{"type", "hello"}, {"ref", ++refs_}, {"protocol", kProtocol}, {"client", client}};
        body.emplace_back("wants", on_edited ? Array{"resume", "edits"} : Array{"resume"});
        if (!welcome_.resume.empty()) {
            body.emplace_back("resume", welcome_.resume);
            body.emplace_back("heard", ledger_.heard);
        }
        std::string bytes;
        is_greeting_ = true;
        const Error error = pack(std::move(body), bytes);
        if (!error.code.empty()) return later([done, error] { done(&error, Value()); });
        asked_[hello_ref_ = refs_] = Asked{"hello", "welcome", std::move(done), now_s() + answer_timeout_s_, 0};
        transmit({bytes});
    }
    void bye(Done done) { ask({{"type", "bye"}}, "goodbye", "", std::move(done)); }

    // Send what nobody waits for. False where it could not be.
    bool order(Map body) {
        std::string bytes;
        body.emplace_back("ref", ++refs_);
        const Error error = pack(std::move(body), bytes);
        if (error.code.empty()) post({bytes});
        else later([this, error] { tell(on_warning, error); });
        return error.code.empty();
    }

    // Any message but hello goes out, or is kept for when the connection is back. Its number where it is kept, else 0.
    std::int64_t post(const Frames& frames) {
        const std::int64_t number = welcome_.resume.empty() ? 0 : ledger_.note(frames);
        if (!is_interrupted_) transmit(frames);
        return number;
    }

    // The bytes of a body; an error with a code where there are none, or nobody to send them to.
    Error pack(Map body, std::string& bytes) const {
        if (!is_welcome_ && !is_greeting_)
            return kAway;
        MsgpackWriter writer;
        if (!writer.write(std::move(body)))
            return {"protocol", "the message cannot be packed: " + writer.problem(), "", false};
        bytes = writer.bytes();
        if (static_cast<std::int64_t>(bytes.size()) <= welcome_.limits.max_body_bytes) return {};
        return {"too_large", "a message of " + std::to_string(bytes.size()) + " bytes",
                "at most " + std::to_string(welcome_.limits.max_body_bytes), false};
    }

    Error missing(const std::string& capability) const {
        if (!is_welcome_ || welcome_.can(capability)) return {};
        return {"unsupported", "the server does not know '" + capability + "'", "it is older than this client", false};
    }

    bool is_asked(std::int64_t ref) const { return asked_.count(ref) != 0; }

    void settle(std::int64_t ref, const Error* error, const Value& body) {
        const auto found = asked_.find(ref);
        if (found == asked_.end()) return regret(body);
        const Asked asked = std::move(found->second);
        asked_.erase(found);
        const std::string type = body.text_of("type");
        const Error wrong = {"protocol", "the server answered with " + type + " and not " + asked.answer, "", false};
        conclude(asked, error == nullptr && type != asked.answer ? &wrong : error, body);
    }

    // All, but for the hello that is just being answered.
    void end_asked(const Error& error) {
        for (auto entry = asked_.begin(); entry != asked_.end();) {
            if (is_greeting_ && entry->first == hello_ref_) { ++entry; continue; }
            fail_later(entry->second, error);
            entry = asked_.erase(entry);
        }
    }
    // What was asked before there was a connection: there will be none.
    void end_early(const Error& error) {
        for (const Early& early : std::exchange(early_, {})) fail_later(early.asked, error);
    }
    // There is one now.
    void ask_early() {
        away_ = kAway;
        for (Early& early : std::exchange(early_, {}))
            ask(std::move(early.body), early.asked.answer, early.capability, std::move(early.asked.done));
    }

    void end_overdue_asked(double now) {
        for (auto entry = asked_.begin(); entry != asked_.end();) {
            if (entry->second.deadline_s > now) { ++entry; continue; }
            give_up(entry->first, entry->second);
            fail_later(entry->second, {"timeout", "the server did not answer with " + entry->second.answer, "", true});
            entry = asked_.erase(entry);
        }
        // the longest wait is in front
        while (!early_.empty() && early_.front().asked.deadline_s <= now) {
            fail_later(early_.front().asked, away_);
            early_.pop_front();
        }
    }

    void later(std::function<void()> call) { later_.push_back(std::move(call)); }

    // Only what waits now: a callback that fails at once again comes with the next call.
    void run_later() {
        for (std::size_t left = later_.size(); left > 0 && !later_.empty(); --left) {
            const auto call = std::move(later_.front());
            later_.pop_front();
            call();
        }
    }

    template <class Callback, class... Arguments>
    static void tell(const Callback& callback, const Arguments&... arguments) {
        if (callback) callback(arguments...);
    }

    Welcome welcome_;
    Ledger ledger_;
    bool is_welcome_ = false, is_greeting_ = false, is_interrupted_ = false;
    double answer_timeout_s_ = 5.0;
    std::int64_t refs_ = 0, connections_ = 0;
    const Error kAway = {"connection_lost", "there is no connection", "wait for on_connected", true};
    Error away_ = kAway;  // why there is none

private:
    struct Asked {
        std::string type, answer;
        Done done;  // may be empty
        double deadline_s;
        std::int64_t sent;  // its number in the ledger
    };
    struct Early {
        Map body;
        std::string capability;
        Asked asked;
    };
    template <class Answer, class Read>
    static Done typed(Then<Answer> then, Read read) {
        if (!then) return nullptr;
        return [then = std::move(then), read](const Error* error, const Value& body) {
            if (error != nullptr) then({false, Answer(), *error});
            else then({true, read(body), Error()});
        };
    }
    static Done whole(Then<Value> then) {
        return typed<Value>(std::move(then), [](const Value& body) { return body; });
    }

    void ask(Map body, const std::string& answer, const std::string& capability, Done done) {
        std::string bytes;
        Asked asked = {*body.front().second.text(), answer, std::move(done), now_s() + answer_timeout_s_, 0};
        if (!is_welcome_ && is_dialling()) return early_.push_back({std::move(body), capability, std::move(asked)});
        const std::int64_t ref = ++refs_;
        body.emplace_back("ref", ref);
        Error error = capability.empty() ? Error() : missing(capability);
        if (error.code.empty()) error = pack(std::move(body), bytes);
        if (!error.code.empty()) return fail_later(asked, error);
        asked_[ref] = std::move(asked);
        const std::int64_t sent = post({bytes});
        const auto found = asked_.find(ref);  // sending may have ended everything
        if (found != asked_.end()) found->second.sent = sent;
    }

    void fail_later(const Asked& asked, const Error& error) {
        later([this, asked, error] { conclude(asked, &error, Value()); });
    }

    // A failure that nobody listens to is told all the same, but for that of a connection that is gone.
    void conclude(const Asked& asked, const Error* error, const Value& body) {
        if (asked.done) return asked.done(error, body);
        if (error == nullptr || error->code == "connection_lost") return;
        tell(on_warning, Error{error->code, asked.type + ": " + error->message, error->hint, error->is_retryable});
    }

    // Nobody waits for this answer any more: a server that did not hear the question hears it no more. What is to end
    // shall end.
    void give_up(std::int64_t ref, const Asked& asked) {
        if (asked.answer == "left" || asked.answer == "goodbye") return;
        MsgpackWriter writer;
        writer.write(Map{{"type", "ping"}, {"ref", ref}});
        ledger_.replace(asked.sent, {writer.bytes()});
    }

    // An answer that nobody waits for: of what it opened, nothing stays.
    void regret(const Value& body) {
        if (body.text_of("type") == "talking") order({{"type", "leave"}, {"session_id", body.text_of("session_id")}});
    }

    void hint(Map body, const std::string& capability) {
        std::string bytes;
        if (!is_welcome_ || !welcome_.can(capability)) return;
        const Error error = pack(std::move(body), bytes);
        if (error.code.empty()) post({bytes});
        else later([this, error] { tell(on_warning, error); });
    }

    std::map<std::int64_t, Asked> asked_;
    std::deque<Early> early_;
    std::int64_t hello_ref_ = 0;
    std::deque<std::function<void()>> later_;
};

}  // namespace npc
