// One player and one NPC: opens the session when it is first asked something, and a new one after a reconnect.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client.hpp"

namespace npc {

// The client must live longer. May itself be destroyed at any time: what was asked still ends, at its listener.
class Conversation {
public:
    Conversation(Client& client, std::string npc_id, std::string player = "Traveller")
        : state_(std::make_shared<State>(client, std::move(npc_id), std::move(player))) {}

    // Heard once a session, before the first reply in it.
    void on_greeting(std::function<void(const std::string&)> greeting) { state_->greeting = std::move(greeting); }

    // Heard where the session cannot be opened: an NPC that there is not, for one. Whoever asked hears it as well.
    void on_refused(std::function<void(const Error&)> refused) { state_->refused = std::move(refused); }

    // Open the session now, for its greeting. What goes wrong, on_refused tells.
    void open() { open(state_); }

    // The player speaks. One reply at a time: a second ask before the end of the first fails with bad_request.
    void ask(std::string text, Listener listener, SayOptions options = {}) {
        if (state_->is_current()) return say(*state_, text, listener, options);
        state_->waiting.push_back({std::move(text), std::move(listener), std::move(options), state_->stops});
        open(state_);
    }

    // Stop the reply, or what still waits for the session: on_finished then says cancelled. False if there is neither.
    bool cancel() {
        ++state_->stops;
        const bool is_stopped = state_->client.cancel(state_->request_id);
        return is_stopped || !state_->waiting.empty();
    }

    // Tell the server what the player has typed so far, so that the reply begins sooner.
    void typing(const std::string& text) {
        if (state_->is_current()) state_->client.typing(state_->session_id, text);
    }

    // What is open, or waits for the session, ends as cancelled.
    void leave() {
        ++state_->stops;
        state_->is_left = state_->is_opening;
        if (state_->is_current()) state_->client.leave(state_->session_id);
        state_->session_id.clear();
    }

private:
    struct Waiting {
        std::string text;
        Listener listener;
        SayOptions options;
        std::int64_t stops;  // until it was asked
    };
    struct State {
        State(Client& owner, std::string npc, std::string name)
            : client(owner), npc_id(std::move(npc)), player(std::move(name)) {}
        bool is_current() const {
            return !session_id.empty() && client.is_connected() && connection == client.connections();
        }
        Client& client;
        std::string npc_id, player, session_id, request_id;
        std::int64_t connection = 0, stops = 0;
        bool is_opening = false;
        bool is_left = false;  // before it was open
        std::vector<Waiting> waiting;
        std::function<void(const std::string&)> greeting;
        std::function<void(const Error&)> refused;
    };

    static void open(const std::shared_ptr<State>& state) {
        state->is_left = false;
        if (state->is_opening || state->is_current()) return;
        state->is_opening = true;
        state->client.talk(state->npc_id, state->player,
                           [state](const Outcome<Talking>& talking) { opened(*state, talking); });
    }

    static void opened(State& state, const Outcome<Talking>& talking) {
        const auto waiting = std::exchange(state.waiting, {});
        state.is_opening = false;
        state.session_id = talking.answer.session_id;
        state.connection = state.client.connections();
        if (talking && state.is_left) state.client.leave(std::exchange(state.session_id, ""));
        else if (talking && state.greeting) state.greeting(talking.answer.greeting);
        if (!talking && state.refused) state.refused(talking.error);
        for (const Waiting& one : waiting) {
            if (!talking) {
                if (one.listener.on_failed) one.listener.on_failed({"", "", talking.error, ""});
            } else if (one.stops != state.stops) {
                if (one.listener.on_finished) one.listener.on_finished({"", "", "cancelled", Map(), Map()});
            } else {
                say(state, one.text, one.listener, one.options);
            }
        }
    }

    // One that fails since another is open must not take its place: cancel is for that other one.
    static void say(State& state, const std::string& text, const Listener& listener, const SayOptions& options) {
        const bool is_busy = state.client.is_replying(state.request_id);
        const std::string request_id = state.client.say(state.session_id, text, listener, options);
        if (!is_busy) state.request_id = request_id;
    }

    std::shared_ptr<State> state_;
};

}  // namespace npc
