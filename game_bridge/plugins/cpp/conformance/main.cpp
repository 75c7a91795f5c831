// The shared conformance script: HOST PORT TOKEN against the scripted server. Without one: vectors FOLDER, or promises.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "npc/conversation.hpp"
#include "patience.hpp"
#include "promises.hpp"
#include "vectors.hpp"

namespace {

// One reply as it came in.
struct Heard {
    std::vector<std::string> pieces, sentences;
    std::vector<npc::ToolCall> calls;
    std::vector<npc::ToolSettled> settled;
    npc::Finished finished;
    npc::Failed failed;
    int ends = 0;

    std::string joined() const {
        std::string all;
        for (const std::string& piece : pieces) all += piece;
        return all;
    }
};

class Script {
public:
    Script(std::string host, std::uint16_t port, std::string token)
        : host_(std::move(host)), port_(port), token_(std::move(token)) {}

    int run() {
        client_.on_connected = [this](const npc::Welcome&) { ++welcomes_; };
        client_.on_lost = [this](const npc::Error& error) { lost_ = error, ++losses_; };
        client_.on_interrupted = [this](const npc::Error&) { ++interruptions_; };
        client_.on_resumed = [this] { ++resumptions_; };
        const std::vector<std::pair<const char*, std::string (Script::*)()>> steps = {
            {"connect", &Script::connect}, {"wrong_token", &Script::wrong_token}, {"talk", &Script::talk},
            {"stream", &Script::stream}, {"tool_accepted", &Script::tool_accepted},
            {"tool_refused", &Script::tool_refused}, {"tool_timeout", &Script::tool_timeout},
            {"screenshot", &Script::screenshot}, {"cancel", &Script::cancel}, {"unknown_npc", &Script::unknown_npc},
            {"state", &Script::state}, {"learn", &Script::learn}, {"two_at_once", &Script::two_at_once},
            {"sessions", &Script::sessions}, {"structured", &Script::structured}, {"confirm", &Script::confirm},
            {"emote", &Script::emote}, {"bark", &Script::bark}, {"happen", &Script::happen},
            {"forget", &Script::forget}, {"stats", &Script::stats}, {"resume", &Script::resume},
            {"heartbeat", &Script::heartbeat}, {"restart", &Script::restart}, {"bye", &Script::bye}};
        for (const auto& step : steps) {
            const std::string problem = (this->*step.second)();
            if (problem.empty()) std::printf("ok %s\n", step.first);
            else std::printf("failed %s: %s\n", step.first, problem.c_str());
            std::fflush(stdout);
            if (!problem.empty()) return 1;
        }
        std::printf("done\n");
        return 0;
    }

private:
    using Step = std::string;  // what went wrong; empty if nothing did
    static constexpr double kPatience_s = 40;

    npc::ClientOptions options(const std::string& token) const {
        npc::ClientOptions made;
        made.host = host_;
        made.port = port_;
        made.token = token;
        made.name = "conformance cpp";
        made.timeout_s = 20;
        return made;
    }

    // The game's loop: true as soon as it is so.
    static bool until(npc::Client& client, const std::function<bool()>& is_so, double seconds = kPatience_s) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
        while (!is_so() && std::chrono::steady_clock::now() < end) {
            client.poll();
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return is_so();
    }
    bool until(const std::function<bool()>& is_so, double seconds = kPatience_s) {
        return until(client_, is_so, seconds);
    }

    static npc::Listener listener(Heard& heard) {
        npc::Listener listener;
        listener.on_text = [&](const std::string& piece) { heard.pieces.push_back(piece); };
        listener.on_sentence = [&](std::int64_t, const std::string& text) { heard.sentences.push_back(text); };
        listener.on_tool_call = [&](const npc::ToolCall& call) { heard.calls.push_back(call); };
        listener.on_tool_settled = [&](const npc::ToolSettled& settled) { heard.settled.push_back(settled); };
        listener.on_finished = [&](const npc::Finished& finished) { heard.finished = finished, ++heard.ends; };
        listener.on_failed = [&](const npc::Failed& failed) { heard.failed = failed, ++heard.ends; };
        return listener;
    }

    template <class Answer>
    npc::Outcome<Answer> wait(const std::function<void(npc::Then<Answer>)>& ask) {
        npc::Outcome<Answer> outcome;
        bool is_there = false;
        ask([&](const npc::Outcome<Answer>& came) { outcome = came, is_there = true; });
        if (!until([&] { return is_there; })) outcome.error.message = "no answer";
        return outcome;
    }

    npc::Outcome<npc::Talking> talk_to(const std::string& npc_id) {
        return wait<npc::Talking>([&](npc::Then<npc::Talking> then) { client_.talk(npc_id, "Robin", then); });
    }

    Step connect() {
        client_.connect();
        until([&] { return client_.is_connected() || !lost_.code.empty(); });
        if (!client_.is_connected()) return lost_.code + ": " + lost_.message;
        std::string cast;
        for (const npc::NpcEntry& npc : client_.welcome().npcs) cast += npc.npc_id + "=" + npc.name + " ";
        if (client_.welcome().protocol != 1) return "another protocol";
        return cast == "mara=Mara pip=Pip " ? "" : "the cast is " + cast;
    }

    Step wrong_token() {
        if (token_.empty()) return "";
        npc::Client other(options("wrong"));
        npc::Error error;
        other.on_lost = [&](const npc::Error& told) { error = told; };
        other.connect();
        if (!until(other, [&] { return !error.code.empty(); })) return "no error";
        if (error.code != "auth") return "the error is " + error.code + ": " + error.message;
        return other.is_open() ? "it goes on trying" : "";
    }

    Step talk() {
        const auto talking = talk_to("mara");
        if (!talking) return talking.error.message;
        mara_ = talking.answer.session_id;
        return talking.answer.greeting == "What do you want?" ? "" : "the greeting is " + talking.answer.greeting;
    }

    Step stream() {
        Heard heard;
        client_.say(mara_, "Hello.", listener(heard));
        if (!until([&] { return heard.ends > 0; })) return "no end";
        if (heard.pieces.size() < 2) return "fewer than 2 pieces";
        if (heard.joined() != heard.finished.text) return "the pieces are " + heard.joined();
        if (heard.sentences.size() != 2) return std::to_string(heard.sentences.size()) + " sentences";
        return heard.finished.finish_reason == "stop" ? "" : "it ended as " + heard.finished.finish_reason;
    }

    // One call of give_item, answered by what answers; checked are the item, how it was settled and the last words.
    Step tool(const std::string& item, const std::string& status, const std::string& last,
              const std::function<void(const npc::ToolCall&)>& answers) {
        Heard heard;
        npc::Listener hears = listener(heard);
        hears.on_tool_call = [&](const npc::ToolCall& call) { heard.calls.push_back(call), answers(call); };
        client_.say(mara_, "Give me the " + item + ".", hears);
        if (!until([&] { return heard.ends > 0; })) return "no end";
        if (!heard.failed.error.code.empty()) return heard.failed.error.message;
        if (heard.calls.size() != 1 || heard.settled.size() != 1) return "not one call and one end of it";
        const npc::ToolCall& call = heard.calls[0];
        if (call.name != "give_item" || call.arguments != npc::Map{{"item", item}}) return "another call";
        if (heard.settled[0].status != status) return "settled as " + heard.settled[0].status;
        const std::string text = heard.finished.text;
        const bool is_last = text.size() >= last.size() && text.substr(text.size() - last.size()) == last;
        if (client_.accept(call)) return "a call that is settled can be answered";
        return is_last && heard.joined() == text ? "" : "the text is " + text;
    }

    Step tool_accepted() {
        return tool("sword", "accepted", "Here you are.", [&](const npc::ToolCall& call) { client_.accept(call); });
    }
    Step tool_refused() {
        const auto refuse = [&](const npc::ToolCall& call) { client_.refuse(call, "It is sold."); };
        return tool("sword", "refused", "Then not.", refuse);
    }
    Step tool_timeout() {
        return tool("lamp", "timeout", "Well then.", [](const npc::ToolCall&) {});
    }

    Step screenshot() {
        Heard heard;
        npc::SayOptions look;
        look.images = {{"image/png", unhex("89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
                                           "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082")}};
        client_.say(mara_, "What is this?", listener(heard), look);
        if (!until([&] { return heard.ends > 0; })) return "no end";
        return heard.failed.error.code == "unsupported" ? "" : "failed as '" + heard.failed.error.code + "'";
    }

    Step cancel() {
        Heard heard;
        std::string request_id;
        npc::Listener hears = listener(heard);
        hears.on_text = [&](const std::string& piece) {
            heard.pieces.push_back(piece);
            if (heard.pieces.size() == 1) client_.cancel(request_id);
        };
        request_id = client_.say(mara_, "Tell me a story.", hears);
        if (!until([&] { return heard.ends > 0; })) return "no end";
        if (heard.finished.finish_reason != "cancelled") return "it ended as '" + heard.finished.finish_reason + "'";
        if (client_.cancel(request_id)) return "it can be cancelled twice";
        return heard.finished.text == heard.joined() && heard.joined().size() < 2000 ? "" : "the text is not what came";
    }

    Step unknown_npc() {
        const auto talking = talk_to("nobody");
        if (talking || talking.error.code != "unknown_npc") return "the error is '" + talking.error.code + "'";
        return talking.error.hint.empty() ? "no hint" : "";
    }

    Step state() {
        const auto set = wait<npc::Value>([&](auto then) { client_.set_state({{"weather", "rain"}}, "", then); });
        return set ? "" : set.error.message;
    }

    Step learn() {
        const auto learned =
            wait<std::string>([&](auto then) { client_.learn("pip", "It rains.", "seen", then); });
        if (!learned) return learned.error.message;
        return learned.answer.empty() ? "no entry_id" : "";
    }

    Step two_at_once() {
        Heard mara, pip;
        client_.say(mara_, "Now?", listener(mara));
        pip_.ask("Now?", listener(pip));
        if (!until([&] { return mara.ends > 0 && pip.ends > 0; })) return "no end";
        until([] { return false; }, 0.3);
        if (mara.ends != 1 || pip.ends != 1) return "more than one end";
        if (mara.joined() != "Mara speaks." || mara.finished.text != mara.joined()) return "mara said " + mara.joined();
        return pip.joined() == "Pip speaks." && pip.finished.text == pip.joined() ? "" : "pip said " + pip.joined();
    }

    Step sessions() {
        const auto list = wait<std::vector<npc::SessionEntry>>([&](auto then) { client_.sessions(then); });
        if (!list) return list.error.message;
        std::string npcs;
        for (const npc::SessionEntry& one : list.answer) npcs += one.npc_id + " of " + one.player + ", ";
        return npcs == "mara of Robin, pip of Robin, " ? "" : "there are " + npcs;
    }

    Step structured() {
        Heard heard;
        npc::SayOptions note;
        npc::Value value;
        note.json_schema = npc::Map{{"type", "object"},
                                    {"properties", npc::Map{{"place", npc::Map{{"type", "string"}}}}},
                                    {"required", npc::Array{"place"}}};
        npc::Listener hears = listener(heard);
        hears.on_structured = [&](const npc::Value& came) { value = came; };
        client_.say(mara_, "Note it down.", hears, note);
        if (!until([&] { return heard.ends > 0; })) return "no end";
        if (value != npc::Map{{"place", "the forge"}}) return "another value; " + heard.failed.error.message;
        return heard.finished.text.empty() && heard.pieces.empty() ? "" : "there is speech";
    }

    Step confirm() {
        const std::string agreed = charge(true, "accepted", "Here you are.");
        return agreed.empty() ? charge(false, "refused", "Then not.") : agreed;
    }

    // One call that the player must agree to.
    Step charge(bool is_agreed, const std::string& status, const std::string& last) {
        Heard heard;
        npc::Listener hears = listener(heard);
        bool is_early = false;
        hears.on_confirm = [&](const npc::ToolCall& call) {
            heard.calls.push_back(call);
            is_early = client_.accept(call);
            client_.confirm(call, is_agreed);
            if (is_agreed) client_.accept(call);
        };
        client_.say(mara_, "Take my coin.", hears);
        if (!until([&] { return heard.ends > 0; })) return "no end";
        if (heard.calls.size() != 1 || heard.settled.size() != 1) return "not one call and one end of it";
        if (heard.calls[0].arguments != npc::Map{{"coins", 2}} || is_early) return "another call, or taken unasked";
        if (heard.settled[0].status != status) return "settled as " + heard.settled[0].status;
        const std::string text = heard.finished.text;
        return text.find(last) != std::string::npos ? "" : "the text is " + text;
    }

    Step emote() {
        Heard heard;
        std::string shown;
        npc::Listener hears = listener(heard);
        hears.on_emote = [&](const npc::Emote& emote) { shown += emote.kind + " " + emote.text; };
        client_.say(mara_, "Smile!", hears);
        if (!until([&] { return heard.ends > 0; })) return "no end";
        return shown == "action smiles" && heard.finished.text == "There you go." ? "" : "shown was " + shown;
    }

    Step bark() {
        Heard heard;
        client_.say(mara_, "Faint.", listener(heard));
        if (!until([&] { return heard.ends > 0; })) return "no end";
        if (heard.failed.error.code != "engine_crashed") return "failed as '" + heard.failed.error.code + "'";
        return heard.failed.bark == "Not now." ? "" : "the bark is '" + heard.failed.bark + "'";
    }

    Step happen() {
        const auto felt = wait<npc::Felt>([&](auto then) { client_.happen("praised", "mara", "Robin", then); });
        return felt && felt.answer.mood == "glad" ? "" : "the mood is '" + felt.answer.mood + "' " + felt.error.message;
    }

    Step forget() {
        const auto fact =
            wait<std::string>([&](auto then) { client_.learn("pip", "The cellar is wet.", "seen", then); });
        const auto gone = wait<npc::Value>([&](auto then) { client_.forget("pip", fact.answer, then); });
        return gone ? "" : gone.error.message;
    }

    Step stats() {
        const auto figures = wait<npc::Value>([&](auto then) { client_.stats(then); });
        if (!figures) return figures.error.message;
        return figures.answer.find("bridge")->integer_of("sessions") >= 2 ? "" : "the figures are others";
    }

    Step resume() {
        Heard heard;
        npc::Listener hears = listener(heard);
        losses_ = 0;
        hears.on_text = [&](const std::string& piece) {
            heard.pieces.push_back(piece);
            if (heard.pieces.size() != 10) return;
            std::printf("CUT\n");
            std::fflush(stdout);
        };
        pip_.ask("Tell me a story.", hears);
        if (!until([&] { return heard.ends > 0; }, 120)) return "no end";
        if (heard.ends != 1 || losses_ != 0) return "lost: " + lost_.message + "; " + heard.failed.error.message;
        const std::string text = heard.finished.text;
        if (heard.joined() != text || heard.finished.finish_reason != "stop") return "the story is broken: " + text;
        if (std::count(text.begin(), text.end(), ' ') != 399) return "the story is another: " + text;
        return interruptions_ == 1 && resumptions_ == 1 ? "" : "it was not interrupted and resumed once";
    }

    Step heartbeat() {
        if (until([&] { return !client_.is_connected(); }, 5)) return lost_.message;
        const auto pong = wait<npc::Value>([&](auto then) { client_.ping(then); });
        return pong ? "" : pong.error.message;
    }

    Step restart() {
        Heard story, speech;
        const int before = welcomes_;
        client_.say(mara_, "Tell me a story.", listener(story));
        if (!until([&] { return !story.pieces.empty(); })) return "no story";
        std::printf("RESTART\n");
        std::fflush(stdout);
        if (!until([&] { return story.ends > 0; })) return "the story has no end";
        if (story.failed.error.code != "connection_lost") return "failed as '" + story.failed.error.code + "'";
        if (story.failed.text != story.joined()) return "the text so far is another";
        if (!until([&] { return welcomes_ > before; }, 120)) return "no new connection: " + lost_.message;
        pip_.ask("Are you there?", listener(speech));  // opens a new session
        if (!until([&] { return speech.ends > 0; })) return "no end";
        if (story.ends != 1 || speech.ends != 1) return "not one end each";
        return speech.finished.text == "Pip speaks." ? "" : "pip said " + speech.finished.text;
    }

    Step bye() {
        const auto start = std::chrono::steady_clock::now();
        lost_ = {};
        client_.bye();
        if (!until([&] { return !client_.is_open(); })) return "the socket is open";
        if (std::chrono::steady_clock::now() - start > std::chrono::seconds(15)) return "no goodbye came";
        return lost_.code.empty() ? "" : lost_.message;
    }

    std::string host_;
    std::uint16_t port_;
    std::string token_, mara_;
    npc::Error lost_;
    int welcomes_ = 0, losses_ = 0, interruptions_ = 0, resumptions_ = 0;
    npc::Client client_{options(token_)};
    npc::Conversation pip_{client_, "pip", "Robin"};
};

}  // namespace

int main(int count, char** arguments) {
    if (count == 3 && std::string(arguments[1]) == "vectors") return run_vectors(arguments[2]);
    if (count == 2 && std::string(arguments[1]) == "promises") return run_promises();
    if (count == 3 && std::string(arguments[1]) == "patience")
        return Patience(static_cast<std::uint16_t>(std::atoi(arguments[2]))).run();
    if (count != 4) {
        std::fprintf(stderr, "usage: %s HOST PORT TOKEN | vectors FOLDER | promises | patience PORT\n", arguments[0]);
        return 2;
    }
    return Script(arguments[1], static_cast<std::uint16_t>(std::atoi(arguments[2])), arguments[3]).run();
}
