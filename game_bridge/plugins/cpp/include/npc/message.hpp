// The messages of protocol 1 as a game sees them, and the shape that each message of a server must have.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "value.hpp"

namespace npc {

// Why something did not come about. Codes are those of PROTOCOL.md, and "auth" where the server refused the token.
struct Error {
    std::string code, message, hint;
    bool is_retryable = false;
};

struct NpcEntry {
    std::string npc_id, name;
};

struct Limits {
    std::int64_t max_body_bytes = 262'144, max_images = 4, max_image_bytes = 8 << 20;
    std::int64_t max_sessions = 32, max_requests = 8;
    double heartbeat_s = 2.0, idle_s = 15.0, reply_timeout_s = 120.0;
};

struct Welcome {
    std::int64_t protocol = 0;
    std::string server;
    std::vector<std::string> capabilities;
    Limits limits;
    std::vector<NpcEntry> npcs;
    Value pronunciations;  // a map from names to how they are said; nil where the world tells of none
    std::string resume;    // for the next hello, if this connection breaks; empty where the server keeps nothing
    double resume_s = 0;
    bool is_resumed = false;  // a connection that broke goes on, of whose messages the server heard so many
    std::int64_t heard = 0;

    bool can(const std::string& capability) const {
        for (const std::string& known : capabilities)
            if (known == capability) return true;
        return false;
    }
};

struct Talking {
    std::string session_id, npc_id, greeting;
};

struct ToolCall {
    std::string request_id, session_id, call_id, name;
    Value arguments;
    bool needs_confirmation = false;
};

struct ToolSettled {
    std::string request_id, call_id, name, status;  // status: accepted, refused, invalid or timeout
    Value content;
};

struct Emote {
    std::string text, kind;  // kind: action or emotion
};

struct Notice {
    std::string code, subject, message;
};

struct Finished {
    std::string request_id, text, finish_reason;  // finish_reason: stop, length, cancelled or tool_limit
    Value usage, timings;                         // maps of tokens and of seconds
};

struct Failed {
    std::string request_id, text;  // text: what was already streamed
    Error error;
    std::string bark;  // what the NPC may say instead, where it said nothing; may be empty
};

// A session of this connection; request_id is of the reply that is under way in it, empty where none is.
struct SessionEntry {
    std::string session_id, npc_id, player, request_id;
};

struct Felt {
    std::string mood;
    Value relation;
};

struct Image {
    std::string media_type;  // image/png, image/jpeg, image/webp, or one of raw_image
    std::string data;        // the encoded file
};

// A picture as a renderer has it, where the server can raw_images: rows of 3 or 4 bytes a pixel, the top one first,
// each stride bytes after the one before.
inline Image raw_image(std::uint32_t width, std::uint32_t height, bool has_alpha, const void* pixels,
                       std::uint32_t stride) {
    Image image = {has_alpha ? "image/x-rgba8" : "image/x-rgb8", ""};
    for (const std::uint32_t number : {width, height, stride})
        for (int shift = 24; shift >= 0; shift -= 8) image.data.push_back(static_cast<char>(number >> shift & 0xFF));
    // the last row may end before its stride does
    const std::size_t row = std::size_t(width) * (has_alpha ? 4 : 3), rows = height;
    const char* first = static_cast<const char*>(pixels);
    for (std::size_t at = 0; at < rows; ++at) {
        image.data.append(first + at * stride, row);
        image.data.append(stride > row ? stride - row : 0, '\0');
    }
    return image;
}

namespace shape {

enum class Kind { any, text, count, real, flag, map, texts, maps, npcs, sessions, mistakes, limits, usage, timings };
enum class Need { always, maybe, maybe_nil };  // maybe: it has a default

struct Field {
    const char* name;
    Kind kind;
    Need need = Need::always;
};
using Fields = std::vector<Field>;

// The fields of every message of a server, without its type, and without the ref that answers have.
inline const std::map<std::string, Fields>& of_events() {
    constexpr Need maybe = Need::maybe, nil = Need::maybe_nil;
    static const Field id = {"request_id", Kind::text}, text = {"text", Kind::text}, call = {"call_id", Kind::text};
    static const std::map<std::string, Fields> fields = {
        {"text", {id, text}},
        {"sentence", {id, {"index", Kind::count}, text}},
        {"emote", {id, text, {"kind", Kind::text}}},
        {"structured", {id, {"value", Kind::any, nil}}},
        {"tool_call", {id, call, {"name", Kind::text}, {"arguments", Kind::map},
                       {"needs_confirmation", Kind::flag, nil}}},
        {"tool_settled", {id, call, {"name", Kind::text}, {"status", Kind::text}, {"content", Kind::any, nil}}},
        {"notice", {id, {"code", Kind::text}, {"subject", Kind::text}, {"message", Kind::text}}},
        {"finished", {id, text, {"finish_reason", Kind::text}, {"usage", Kind::usage, maybe},
                      {"timings", Kind::timings, maybe}}},
        {"failed", {id, {"code", Kind::text}, {"message", Kind::text}, {"hint", Kind::text, maybe},
                    {"retryable", Kind::flag, maybe}, {"text", Kind::text, maybe}, {"bark", Kind::text, nil}}},
    };
    return fields;
}

inline const std::map<std::string, Fields>& of_answers() {
    constexpr Need maybe = Need::maybe, nil = Need::maybe_nil;
    static const std::map<std::string, Fields> fields = {
        {"welcome", {{"protocol", Kind::count}, {"server", Kind::text}, {"capabilities", Kind::texts},
                     {"limits", Kind::limits}, {"npcs", Kind::npcs}, {"pronunciations", Kind::map, nil},
                     {"resume", Kind::text, nil}, {"resume_s", Kind::real, nil}, {"resumed", Kind::flag, nil},
                     {"heard", Kind::count, nil}}},
        {"talking", {{"session_id", Kind::text}, {"npc_id", Kind::text}, {"greeting", Kind::text}}},
        {"left", {{"session_id", Kind::text}}},
        {"session_list", {{"sessions", Kind::sessions}}},
        {"state_ok", {}},
        {"noted", {}},
        {"learned", {{"entry_id", Kind::text}}},
        {"felt", {{"mood", Kind::text}, {"relation", Kind::map}}},
        {"edited", {{"changed", Kind::texts, maybe}, {"added", Kind::texts, maybe}, {"removed", Kind::texts, maybe},
                    {"npcs", Kind::npcs, maybe}, {"mistakes", Kind::mistakes, maybe}}},
        {"figures", {{"name", Kind::text}, {"device", Kind::text}, {"bridge", Kind::map}, {"engine", Kind::map},
                     {"batches", Kind::maps}, {"cache", Kind::map}, {"governor", Kind::map}, {"requests", Kind::maps}}},
        {"pong", {}},
        {"error", {{"code", Kind::text}, {"message", Kind::text}, {"hint", Kind::text, maybe},
                   {"retryable", Kind::flag, maybe}}},
        {"goodbye", {{"reason", Kind::text}}},
    };
    return fields;
}

// The fields of the maps inside messages.
inline const Fields& of_part(Kind kind) {
    constexpr Need maybe = Need::maybe;
    static const Fields npc = {{"npc_id", Kind::text}, {"name", Kind::text}};
    static const Fields mistake = {{"path", Kind::text}, {"line", Kind::count, maybe}, {"column", Kind::count, maybe},
                                   {"message", Kind::text}, {"hint", Kind::text, maybe}};
    static const Fields limits = {
        {"max_body_bytes", Kind::count, maybe}, {"max_images", Kind::count, maybe},
        {"max_image_bytes", Kind::count, maybe}, {"max_sessions", Kind::count, maybe},
        {"max_requests", Kind::count, maybe}, {"heartbeat_s", Kind::real, maybe},
        {"idle_s", Kind::real, maybe}, {"reply_timeout_s", Kind::real, maybe}};
    static const Fields usage = {{"prompt_tokens", Kind::count, maybe}, {"cached_tokens", Kind::count, maybe},
                                 {"completion_tokens", Kind::count, maybe}};
    static const Fields timings = {{"queued_s", Kind::real, maybe}, {"prefill_s", Kind::real, maybe},
                                   {"first_token_s", Kind::real, maybe}, {"decode_s", Kind::real, maybe},
                                   {"total_s", Kind::real, maybe}};
    static const Fields session = {{"session_id", Kind::text}, {"npc_id", Kind::text}, {"player", Kind::text},
                                   {"request_id", Kind::text, Need::maybe_nil}};
    return kind == Kind::npcs ? npc : kind == Kind::sessions ? session : kind == Kind::mistakes ? mistake
         : kind == Kind::limits ? limits : kind == Kind::usage ? usage : timings;
}

inline bool fits(const Value& body, const Fields& fields);

inline bool fits(const Value& value, Kind kind) {
    const auto each = [&](auto&& is_good) {
        if (value.array() == nullptr) return false;
        for (const Value& item : *value.array())
            if (!is_good(item)) return false;
        return true;
    };
    switch (kind) {
        case Kind::any: return true;
        case Kind::text: return value.text() != nullptr;
        case Kind::count: return value.integer() != nullptr && *value.integer() >= 0;
        case Kind::real:
            return value.integer() != nullptr ? *value.integer() >= 0 : value.real() != nullptr && *value.real() >= 0;
        case Kind::flag: return value.boolean() != nullptr;
        case Kind::map: return value.map() != nullptr;
        case Kind::texts: return each([](const Value& item) { return item.text() != nullptr; });
        case Kind::maps: return each([](const Value& item) { return item.map() != nullptr; });
        case Kind::npcs:
        case Kind::sessions:
        case Kind::mistakes: return each([&](const Value& item) { return fits(item, of_part(kind)); });
        case Kind::limits:
        case Kind::usage:
        case Kind::timings: return fits(value, of_part(kind));
    }
    return false;
}

// Whether a map has all of the fields that it needs, each of its type, and no other.
inline bool fits(const Value& body, const Fields& fields) {
    if (body.map() == nullptr) return false;
    std::size_t known = 0;
    for (const Field& field : fields) {
        const Value* found = body.find(field.name);
        if (found == nullptr && field.need == Need::always) return false;
        if (found == nullptr) continue;
        ++known;
        if (!(found->is_nil() && field.need == Need::maybe_nil) && !fits(*found, field.kind)) return false;
    }
    return known == body.map()->size();
}

// Whether the body is a message that a server may send.
inline bool fits_server(const Value& body) {
    const std::string type = body.text_of("type");
    const auto event = of_events().find(type);
    const auto answer = of_answers().find(type);
    if (event == of_events().end() && answer == of_answers().end()) return false;
    Fields fields = {{"type", Kind::text}};
    if (answer != of_answers().end()) fields.push_back({"ref", Kind::count, Need::maybe_nil});
    const Fields& own = event != of_events().end() ? event->second : answer->second;
    fields.insert(fields.end(), own.begin(), own.end());
    return fits(body, fields);
}

}  // namespace shape

inline Error error_of(const Value& body) {
    return {body.text_of("code"), body.text_of("message"), body.text_of("hint"), body.boolean_of("retryable")};
}

inline std::vector<NpcEntry> npcs_of(const Value& body) {
    std::vector<NpcEntry> npcs;
    if (const Value* list = body.find("npcs"))
        for (const Value& npc : *list->array()) npcs.push_back({npc.text_of("npc_id"), npc.text_of("name")});
    return npcs;
}

inline Welcome welcome_of(const Value& body) {
    Welcome welcome;
    welcome.protocol = body.integer_of("protocol");
    welcome.server = body.text_of("server");
    for (const Value& name : *body.find("capabilities")->array()) welcome.capabilities.push_back(*name.text());
    welcome.npcs = npcs_of(body);
    if (const Value* said = body.find("pronunciations")) welcome.pronunciations = *said;
    welcome.resume = body.text_of("resume");
    welcome.resume_s = body.real_of("resume_s");
    welcome.is_resumed = body.boolean_of("resumed");
    welcome.heard = body.integer_of("heard");
    const Value& told = *body.find("limits");
    Limits& limits = welcome.limits;
    limits.max_body_bytes = told.integer_of("max_body_bytes", limits.max_body_bytes);
    limits.max_images = told.integer_of("max_images", limits.max_images);
    limits.max_image_bytes = told.integer_of("max_image_bytes", limits.max_image_bytes);
    limits.max_sessions = told.integer_of("max_sessions", limits.max_sessions);
    limits.max_requests = told.integer_of("max_requests", limits.max_requests);
    limits.heartbeat_s = told.real_of("heartbeat_s", limits.heartbeat_s);
    limits.idle_s = told.real_of("idle_s", limits.idle_s);
    limits.reply_timeout_s = told.real_of("reply_timeout_s", limits.reply_timeout_s);
    return welcome;
}

}  // namespace npc
