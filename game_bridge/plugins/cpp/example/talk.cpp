// Talk to an NPC in a terminal: talk HOST PORT TOKEN NPC_ID. The loop stands for a game's frames.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "npc/conversation.hpp"

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

    bool is_idle = false;
    npc::Client client(options);
    npc::Conversation conversation(client, arguments[4], "Robin");
    conversation.on_greeting([&](const std::string& text) { std::printf("%s\n", text.c_str()), is_idle = true; });
    client.on_connected = [&](const npc::Welcome&) { conversation.open(); };
    client.on_lost = [](const npc::Error& error) {
        std::printf("[%s: %s; %s]\n", error.code.c_str(), error.message.c_str(), error.hint.c_str());
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

    while (client.is_open()) {
        client.poll();
        if (is_idle) {
            std::string line;
            is_idle = false;
            if (std::getline(std::cin, line)) conversation.ask(line, listener);
            else client.bye();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(16));
    }
    return 0;
}
