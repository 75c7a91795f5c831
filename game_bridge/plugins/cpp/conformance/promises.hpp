// What the client promises of its requests without a server: one end each, whatever comes or does not come.
#pragma once

#include <string>

#include "vectors.hpp"

// A client in whose hands the server's messages and the clock are put.
class Staged : public Offline {
public:
    explicit Staged(bool is_welcome = true) {
        if (is_welcome) connect();
    }
    void connect() { play(R"({"type":"welcome","ref":1,"protocol":1,"server":"s","capabilities":["tools","state"],
        "limits":{"max_body_bytes":2000,"max_images":1,"max_image_bytes":10,"reply_timeout_s":30.0},"npcs":[],
        "resume":"0123456789abcdef01234567","resume_s":9.0})"); }

    void play(const std::string& json) {
        npc::Value body;
        npc::MsgpackWriter writer;
        const bool is_read = JsonReader(json).read(body) && writer.write(body);
        receive({is_read ? writer.bytes() : std::string()});
    }
    // The connection breaks, and says hello over a new one.
    void break_off() {
        is_interrupted_ = true;
        hello("promises", [this](const npc::Error* error, const npc::Value&) { hellos += error == nullptr ? 1 : 0; });
    }
    // What a server answers; the hello was the message of that ref.
    void come_back(int ref, bool is_resumed, int heard) {
        play(R"({"type":"welcome","ref":)" + std::to_string(ref) + R"(,"protocol":1,"server":"s","capabilities":[],)" +
             R"("limits":{},"npcs":[],"resume":"0123456789abcdef01234567","resume_s":9.0,"resumed":)" +
             (is_resumed ? R"(true,"heard":)" + std::to_string(heard) : "false") + "}");
    }
    void pass(double seconds) {
        now += seconds;
        end_overdue(now);
        run_later();
    }
    std::string start(const npc::SayOptions& options = {}, const std::string& text = "Hello.") {
        npc::Listener listener;
        listener.on_text = [this](const std::string& piece) { said += piece; };
        listener.on_tool_call = [this](const npc::ToolCall& call) { last_call = call; };
        listener.on_finished = [this](const npc::Finished&) { ++ends; };
        listener.on_failed = [this](const npc::Failed& failed) { ++ends, code = failed.error.code; };
        return say("mara-1", text, listener, options);
    }

    double now = 0;
    bool is_dialled = false;
    int ends = 0, hellos = 0;
    std::string said, code, types;  // of what went out
    npc::ToolCall last_call;

protected:
    double now_s() const override { return now; }
    bool is_dialling() const override { return is_dialled; }
    void transmit(const npc::Frames& frames) override {
        npc::Value body;
        Offline::transmit(frames);
        types += npc::MsgpackReader(frames[0]).read(body) ? body.text_of("type") + " " : "? ";
    }
};

inline const char* const kText = R"({"type":"text","request_id":"r-1","text":"Yes"})";
inline const char* const kFinished = R"({"type":"finished","request_id":"r-1","text":"Yes","finish_reason":"stop"})";

inline std::string expect(const Staged& client, int ends, const std::string& code) {
    if (client.ends != ends) return std::to_string(client.ends) + " ends";
    return client.code == code ? "" : "the code is '" + client.code + "'";
}

inline std::string promise_one_end() {
    Staged client;
    client.start();
    for (const char* message : {kText, kFinished, kFinished, kText}) client.play(message);
    client.sever({"connection_lost", "", "", true});
    client.pass(1000);
    return client.said == "Yes" ? expect(client, 1, "") : "it said " + client.said;
}

inline std::string promise_time_out() {
    Staged client;
    client.start();
    client.pass(39);
    client.play(kText);  // a sign of life: the waiting begins anew
    client.pass(39);
    if (client.ends != 0) return "it did not wait";
    client.pass(2);
    client.play(kFinished);
    return expect(client, 1, "timeout");
}

inline std::string promise_cancel_without_answer() {
    Staged client;
    const std::string request_id = client.start();
    if (!client.cancel(request_id)) return "it cannot be cancelled";
    client.pass(6);
    return expect(client, 1, "timeout");
}

inline std::string promise_loss() {
    Staged client;
    client.start();
    client.play("[]");  // no message at all
    client.run_later();
    return expect(client, 1, "protocol");
}

inline std::string promise_refusal_by_error() {
    Staged client;
    client.start();
    client.play(R"({"type":"error","ref":2,"code":"too_large","message":"m"})");
    client.run_later();
    return expect(client, 1, "too_large");
}

inline std::string promise_too_large() {
    Staged words, pictures;
    npc::SayOptions options;
    options.images = {{"image/png", std::string(11, 'x')}};
    words.start({}, std::string(2000, 'x'));
    pictures.start(options);
    if (words.ends + pictures.ends != 0) return "a callback outside of poll";
    words.run_later();
    pictures.run_later();
    const std::string problem = expect(words, 1, "too_large");
    return problem.empty() ? expect(pictures, 1, "too_large") : problem;
}

inline std::string promise_bad_text() {
    Staged client;
    client.start({}, "\xC3\x28");
    client.run_later();
    return expect(client, 1, "protocol");
}

inline std::string promise_call_once() {
    Staged client;
    client.start();
    client.play(R"({"type":"tool_call","request_id":"r-1","call_id":"c","name":"n","arguments":{}})");
    if (!client.accept(client.last_call, 1)) return "it cannot be answered";
    return client.refuse(client.last_call, "no") ? "it can be answered twice" : "";
}

// Two messages before the break, of which the server heard one, and one after it: two are sent (again), and hello.
inline std::string promise_resumed() {
    Staged client;
    client.start();
    client.play(kText);
    client.start({}, "And?");
    client.break_off();
    client.ping([](const npc::Outcome<npc::Value>&) {});
    if (client.transmitted != 4) return std::to_string(client.transmitted) + " messages, as if nothing were broken";
    client.come_back(4, true, 1);
    client.play(kFinished);
    client.run_later();
    if (client.transmitted != 6 || client.hellos != 1) return std::to_string(client.transmitted) + " messages";
    return client.said == "Yes" && !client.is_interrupted() ? expect(client, 1, "") : "it said " + client.said;
}

inline std::string promise_not_resumed() {
    Staged client;
    client.start();
    client.break_off();
    client.come_back(3, false, 0);
    client.play(kFinished);
    client.run_later();
    if (client.hellos != 1 || client.connections() != 2) return "no new connection";
    return expect(client, 1, "connection_lost");
}

inline std::string promise_forgotten() {
    Staged client;
    for (int count = 0; count < 300; ++count) client.ping([](const npc::Outcome<npc::Value>&) {});
    client.start();
    client.break_off();
    client.come_back(303, true, 0);
    client.run_later();
    return client.severed.code == "connection_lost" ? expect(client, 1, "connection_lost") : "it goes on";
}

// Two questions of three are over before the line is back; a leave is meant all the same. A late session is left.
inline std::string promise_given_up() {
    Staged client;
    int ends = 0;
    client.break_off();
    client.set_state({{"weather", "rain"}}, "", [&](const npc::Outcome<npc::Value>& outcome) { ends += !outcome; });
    client.talk("mara", "Robin", [&](const npc::Outcome<npc::Talking>& outcome) { ends += !outcome; });
    client.leave("s-1", [&](const npc::Outcome<npc::Value>& outcome) { ends += !outcome; });
    client.pass(6);
    client.types.clear();
    client.come_back(2, true, 0);
    client.play(R"({"type":"talking","ref":4,"session_id":"s-9","npc_id":"mara","greeting":""})");
    client.run_later();
    return ends == 3 && client.types == "ping ping leave leave " ? "" : std::to_string(ends) + ": " + client.types;
}

// Nobody listens to the answer, nor to the call.
inline std::string promise_nothing_silent() {
    Staged client;
    std::string warned;
    client.on_warning = [&](const npc::Error& error) { warned += error.code + " " + error.message + "|"; };
    client.set_state({{"weather", "rain"}}, "nobody");
    client.play(R"({"type":"error","ref":2,"code":"unknown_npc","message":"m"})");
    client.say("mara-1", "Hello.", npc::Listener());
    client.types.clear();
    client.play(R"({"type":"tool_call","request_id":"r-1","call_id":"c","name":"n","arguments":{}})");
    client.leave("mara-1");
    client.sever({"connection_lost", "", "", true});
    client.run_later();
    const bool is_all = warned == "unknown_npc state: m|bad_request nobody listens to this call: n was refused|";
    return is_all && client.types == "tool_result leave " ? "" : warned + " " + client.types;
}

// What is asked before there is a connection waits for it; for as long as for an answer.
inline std::string promise_early() {
    Staged client(false), late(false), closed(false);
    std::string codes;
    const auto note = [&](const npc::Outcome<npc::Value>& outcome) { codes += outcome.error.code + " "; };
    client.is_dialled = late.is_dialled = true;
    closed.sever({});
    for (Staged* one : {&client, &late, &closed}) one->set_state({{"weather", "rain"}}, "", note);
    closed.run_later();
    client.pass(4);
    if (codes != "connection_lost ") return "it did not wait, or without hope: " + codes;
    client.connect();
    client.pass(4);
    client.play(R"({"type":"state_ok","ref":2})");
    late.pass(6);
    late.connect();
    return codes == "connection_lost  connection_lost " && late.types.empty() ? "" : codes + late.types;
}

inline std::string promise_answer_in_time() {
    Staged client;
    int answers = 0;
    std::string code;
    client.ping([&](const npc::Outcome<npc::Value>& outcome) { ++answers, code = outcome.error.code; });
    client.pass(6);
    client.play(R"({"type":"pong","ref":2})");
    client.sever({"connection_lost", "", "", true});
    client.run_later();
    return answers == 1 && code == "timeout" ? "" : std::to_string(answers) + " answers, '" + code + "'";
}

inline std::string promise_another_answer() {
    Staged client;
    std::string code;
    client.ping([&](const npc::Outcome<npc::Value>& outcome) { code = outcome.error.code; });
    client.play(R"({"type":"state_ok","ref":2})");
    return code == "protocol" ? "" : "the code is '" + code + "'";
}

inline int run_promises() {
    const std::pair<const char*, std::string (*)()> promises[] = {
        {"one end", promise_one_end},           {"time-out", promise_time_out},
        {"cancel", promise_cancel_without_answer}, {"loss", promise_loss},
        {"refusal", promise_refusal_by_error},  {"too large", promise_too_large},
        {"bad text", promise_bad_text},         {"call once", promise_call_once},
        {"answer in time", promise_answer_in_time}, {"another answer", promise_another_answer},
        {"resumed", promise_resumed},           {"not resumed", promise_not_resumed},
        {"forgotten", promise_forgotten},       {"given up", promise_given_up},
        {"nothing silent", promise_nothing_silent}, {"early", promise_early}};
    int failures = 0;
    for (const auto& promise : promises) {
        const std::string problem = promise.second();
        std::printf("%s %s%s%s\n", problem.empty() ? "ok" : "failed", promise.first, problem.empty() ? "" : ": ",
                    problem.c_str());
        failures += problem.empty() ? 0 : 1;
    }
    return failures == 0 ? 0 : 1;
}
