// What a game says and hears, without a socket: open replies and their calls. client.hpp adds the connection.
// Every reply ends in exactly one on_finished or on_failed, whatever happens.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "asker.hpp"

namespace npc {

// What a game does as a reply comes in. Leave out what does not matter to it.
struct Listener {
    std::function<void(const std::string& piece)> on_text;
    std::function<void(std::int64_t index, const std::string& sentence)> on_sentence;
    std::function<void(const ToolCall&)> on_tool_call;  // answer with accept or refuse; refused where this is left out
    std::function<void(const ToolCall&)> on_confirm;    // ask the player, then confirm; then accept or refuse
    std::function<void(const ToolSettled&)> on_tool_settled;
    std::function<void(const Emote&)> on_emote;
    std::function<void(const Notice&)> on_notice;
    std::function<void(const Value&)> on_structured;
    std::function<void(const Finished&)> on_finished;
    std::function<void(const Failed&)> on_failed;
};

struct SayOptions {
    std::vector<Image> images;
    std::string priority = "player";  // player, nearby, ambient or background
    double timeout_s = 0;             // 0: the server's own
    double start_by_s = 0;            // 0: whenever the NPC gets to it
    std::string tool_choice;          // empty: auto
    Value json_schema;                // nil: speech
};

class Protocol : public Asker {
public:
    // The player speaks. Returns the request_id, for cancel; how it went, also that it could not be sent, the listener
    // hears from poll().
    std::string say(const std::string& session_id, const std::string& text, Listener listener,
                    const SayOptions& options = {}) {
        const std::string request_id = "r-" + std::to_string(++says_);
        const auto heard = std::make_shared<const Listener>(std::move(listener));
        Frames frames(1);
        Error error = say_error(options);
        Map body = {{"type", "say"}, {"ref", ++refs_}, {"request_id", request_id}, {"session_id", session_id},
                    {"text", text}};
        fill(body, *heard, options);
        for (const Image& image : options.images) frames.push_back(image.data);
        if (error.code.empty()) error = pack(std::move(body), frames[0]);
        if (!error.code.empty()) {
            later([heard, failed = Failed{request_id, "", error, ""}] { tell(heard->on_failed, failed); });
            return request_id;
        }
        const double limit_s = options.timeout_s > 0 ? options.timeout_s : welcome_.limits.reply_timeout_s;
        const double patience_s = limit_s + kGrace_s;
        replies_[request_id] = Reply{session_id, "", refs_, heard, {}, patience_s, now_s() + patience_s};
        post(frames);
        return request_id;
    }

    // Stop a reply: on_finished then says cancelled. False if it has ended already.
    bool cancel(const std::string& request_id) {
        const auto reply = replies_.find(request_id);
        if (reply == replies_.end()) return false;
        reply->second.patience_s = answer_timeout_s_;
        reply->second.deadline_s = now_s() + answer_timeout_s_;
        return order({{"type", "cancel"}, {"request_id", request_id}});
    }

    // Whether this reply has not ended yet.
    bool is_replying(const std::string& request_id) const { return replies_.count(request_id) != 0; }

    // The game did what the NPC wanted, with this outcome; or it did not, and why. False where the call is not open
    // (any more), waits for the player, or the content cannot be sent.
    bool accept(const ToolCall& call, Value content = {}) { return answer(call, "accepted", std::move(content)); }
    bool refuse(const ToolCall& call, const std::string& reason) { return answer(call, "refused", reason); }

    // The player's word on a call of on_confirm. False as above.
    bool confirm(const ToolCall& call, bool is_agreed, const std::string& reason = "") {
        bool* agreed = open_call(call);
        if (agreed == nullptr || (*agreed && !is_agreed)) return false;
        const bool is_sent = order({{"type", "confirm"}, {"session_id", call.session_id}, {"call_id", call.call_id},
                                    {"is_agreed", is_agreed}, {"reason", reason}});
        agreed = open_call(call);  // sending may have ended everything
        if (is_sent && is_agreed && agreed != nullptr) *agreed = true;
        if (is_sent && !is_agreed && agreed != nullptr) replies_[call.request_id].calls.erase(call.call_id);
        return is_sent;
    }

protected:
    static constexpr double kGrace_s = 10.0;  // the server's own time-out should come first
    const Error kForgotten = {"connection_lost", "the server no longer knows this connection", "talk again", true};

    virtual void sever(const Error& error) = 0;  // close the connection; must call end_all

    // Take one message of the server. One that cannot be read ends the connection.
    void receive(const Frames& frames) {
        Value body;
        MsgpackReader reader(frames.empty() ? std::string_view() : frames[0]);
        if (frames.size() != 1) return refuse_server("a message of " + std::to_string(frames.size()) + " frames");
        if (!reader.read(body)) return refuse_server(reader.problem());
        const std::string type = body.text_of("type");
        if (!shape::fits_server(body)) return refuse_server("a message '" + type + "' of another shape");
        if (type != "welcome") ++ledger_.heard;
        if (type == "error") return on_error(body);
        if (type == "edited") return take_edited(body);
        if (type == "welcome" && is_greeting_) take_welcome(body);
        if (body.find("request_id") != nullptr) return on_event(type, body);
        settle(body.integer_of("ref", -1), nullptr, body);
        if (type == "goodbye")
            sever({"connection_lost", "the server said goodbye: " + body.text_of("reason"), "connect again", true});
    }

    // The connection is gone: everything open ends, in the next run_later.
    void end_all(const Error& error) {
        is_welcome_ = is_greeting_ = is_interrupted_ = false;
        welcome_.resume.clear();
        end_open(error);
    }

    // What waited too long for the server ends; now is a moment since which all that came was read.
    void end_overdue(double now) {
        end_overdue_asked(now);
        std::vector<std::string> overdue;
        for (const auto& entry : replies_)
            if (entry.second.deadline_s <= now) overdue.push_back(entry.first);
        for (const std::string& request_id : overdue) {
            const auto found = replies_.find(request_id);
            if (found == replies_.end()) continue;  // telling the server of another has broken the connection
            fail(request_id, found->second, {"timeout", "nothing more came of the reply", "", true});
            replies_.erase(found);
            order({{"type", "cancel"}, {"request_id", request_id}});
        }
    }

private:
    struct Reply {
        std::string session_id, said;
        std::int64_t ref = 0;
        std::shared_ptr<const Listener> listener;
        std::map<std::string, bool> calls;  // those that are open, and whether the player need not agree (any more)
        double patience_s = 0, deadline_s = 0;
    };

    Error say_error(const SayOptions& options) const {
        const Limits& limits = welcome_.limits;
        if (options.start_by_s > 0 && !missing("start_by").code.empty()) return missing("start_by");
        if (!options.tool_choice.empty() && !missing("tool_choice").code.empty()) return missing("tool_choice");
        if (!options.json_schema.is_nil() && !missing("structured").code.empty()) return missing("structured");
        if (static_cast<std::int64_t>(options.images.size()) > limits.max_images)
            return {"too_large", "too many pictures", "at most " + std::to_string(limits.max_images), false};
        for (const Image& image : options.images)
            if (static_cast<std::int64_t>(image.data.size()) > limits.max_image_bytes)
                return {"too_large", "a picture of " + std::to_string(image.data.size()) + " bytes",
                        "at most " + std::to_string(limits.max_image_bytes), false};
        return {};
    }

    void fill(Map& body, const Listener& listener, const SayOptions& options) const {
        Array images, wants;
        for (const Image& image : options.images) images.emplace_back(image.media_type);
        if (listener.on_emote && welcome_.can("emotes")) wants.emplace_back("emotes");
        if (listener.on_confirm && welcome_.can("confirm")) wants.emplace_back("confirm");
        if (listener.on_notice && welcome_.can("notices")) wants.emplace_back("notices");
        if (listener.on_failed && welcome_.can("barks")) wants.emplace_back("barks");
        body.emplace_back("images", std::move(images));
        body.emplace_back("priority", options.priority);
        if (!wants.empty()) body.emplace_back("wants", std::move(wants));
        if (options.timeout_s > 0) body.emplace_back("timeout_s", options.timeout_s);
        if (options.start_by_s > 0) body.emplace_back("start_by_s", options.start_by_s);
        if (!options.tool_choice.empty()) body.emplace_back("tool_choice", options.tool_choice);
        if (!options.json_schema.is_nil()) body.emplace_back("json_schema", options.json_schema);
    }

    // What was open ends where the server knows nothing of it any more.
    void take_welcome(const Value& body) {
        const bool is_new = !is_interrupted_;
        welcome_ = welcome_of(body);
        if (!welcome_.is_resumed || is_new) {
            if (!is_new) end_open(kForgotten);
            ledger_.start_over();
            ++connections_;
        }
        is_welcome_ = true;
        is_greeting_ = is_interrupted_ = false;
        if (!is_new && welcome_.is_resumed) send_missed();
        ask_early();
    }

    void send_missed() {
        std::deque<Frames> missed;
        if (!ledger_.after(welcome_.heard, missed))
            return sever({"connection_lost", "too much was said while the line was broken", "connect again", true});
        for (const Frames& frames : missed) transmit(frames);
    }

    void end_open(const Error& error) {
        end_asked(error);
        const auto replies = std::exchange(replies_, {});
        for (const auto& entry : replies) fail(entry.first, entry.second, error);
    }

    void take_edited(const Value& body) {
        auto npcs = npcs_of(body);
        if (!npcs.empty()) welcome_.npcs = std::move(npcs);
        tell(on_edited, body);
    }

    void refuse_server(const std::string& problem) {
        sever({"protocol", "the server sent what the protocol does not allow: " + problem, "", false});
    }

    void on_error(const Value& body) {
        const Error error = error_of(body);
        const std::int64_t ref = body.integer_of("ref", -1);
        if (is_asked(ref)) return settle(ref, &error, body);
        for (auto entry = replies_.begin(); entry != replies_.end(); ++entry) {
            if (entry->second.ref != ref) continue;
            fail(entry->first, entry->second, error);
            replies_.erase(entry);
            return;
        }
        if (error.code == "connection_lost") return sever(error);
        // a cancel or an answer that crossed the reply's end on its way: the reply's own events tell the story
        if (error.code != "unknown_request") tell(on_warning, error);
    }

    void on_event(const std::string& type, const Value& body) {
        const std::string request_id = body.text_of("request_id");
        const auto found = replies_.find(request_id);
        if (found == replies_.end()) return;  // it ended here, by a time-out, before it ended there
        Reply& reply = found->second;
        const std::shared_ptr<const Listener> listener = reply.listener;  // a callback may end the reply
        const std::string text = body.text_of("text");
        reply.deadline_s = now_s() + reply.patience_s;
        if (type == "text") {
            reply.said += text;
            tell(listener->on_text, text);
        } else if (type == "sentence") {
            tell(listener->on_sentence, body.integer_of("index"), text);
        } else if (type == "emote") {
            tell(listener->on_emote, Emote{text, body.text_of("kind")});
        } else if (type == "notice") {
            tell(listener->on_notice, Notice{body.text_of("code"), body.text_of("subject"), body.text_of("message")});
        } else if (type == "structured") {
            tell(listener->on_structured, body.find("value") != nullptr ? *body.find("value") : Value());
        } else if (type == "tool_call") {
            take_call(reply, *listener, body);
        } else if (type == "tool_settled") {
            reply.calls.erase(body.text_of("call_id"));
            tell(listener->on_tool_settled,
                 ToolSettled{request_id, body.text_of("call_id"), body.text_of("name"), body.text_of("status"),
                             body.find("content") != nullptr ? *body.find("content") : Value()});
        } else {
            replies_.erase(found);
            end(request_id, type, text, *listener, body);
        }
    }

    static void end(const std::string& request_id, const std::string& type, const std::string& text,
                    const Listener& listener, const Value& body) {
        if (type == "failed")
            return tell(listener.on_failed, Failed{request_id, text, error_of(body), body.text_of("bark")});
        const auto part = [&](const char* name) { return body.find(name) ? *body.find(name) : Value(Map()); };
        tell(listener.on_finished,
             Finished{request_id, text, body.text_of("finish_reason"), part("usage"), part("timings")});
    }

    void take_call(Reply& reply, const Listener& listener, const Value& body) {
        const ToolCall call = {body.text_of("request_id"), reply.session_id, body.text_of("call_id"),
                               body.text_of("name"), *body.find("arguments"), body.boolean_of("needs_confirmation")};
        reply.calls[call.call_id] = !call.needs_confirmation;
        const auto& callback = call.needs_confirmation ? listener.on_confirm : listener.on_tool_call;
        if (callback) return callback(call);
        if (call.needs_confirmation) confirm(call, false, "nobody asks the player");
        else refuse(call, "the game does not know how");
        tell(on_warning, Error{"bad_request", "nobody listens to this call: " + call.name + " was refused",
                               "set on_tool_call, and on_confirm for what the player must agree to", false});
    }

    bool answer(const ToolCall& call, const char* status, Value content) {
        const bool* agreed = open_call(call);
        if (agreed == nullptr || (!*agreed && status == std::string("accepted"))) return false;
        const bool is_sent = order({{"type", "tool_result"}, {"session_id", call.session_id}, {"call_id", call.call_id},
                                    {"status", status}, {"content", std::move(content)}});
        const auto reply = replies_.find(call.request_id);
        if (is_sent && reply != replies_.end()) reply->second.calls.erase(call.call_id);
        return is_sent;
    }

    bool* open_call(const ToolCall& call) {
        const auto reply = replies_.find(call.request_id);
        if (reply == replies_.end()) return nullptr;
        const auto found = reply->second.calls.find(call.call_id);
        return found != reply->second.calls.end() ? &found->second : nullptr;
    }

    void fail(const std::string& request_id, const Reply& reply, const Error& error) {
        later([listener = reply.listener, failed = Failed{request_id, reply.said, error, ""}] {
            tell(listener->on_failed, failed);
        });
    }

    std::int64_t says_ = 0;
    std::map<std::string, Reply> replies_;
};

}  // namespace npc
