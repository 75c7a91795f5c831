// The golden frames: the client's own reader and writer against game_bridge/vectors, and hostile bytes on the socket.
#pragma once

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "json.hpp"
#include "npc/protocol.hpp"

// A client whose other end is the test: it keeps why it was severed.
class Offline : public npc::Protocol {
public:
    Offline() {
        hello("vectors", [](const npc::Error*, const npc::Value&) {});
    }
    using npc::Protocol::end_overdue;
    using npc::Protocol::receive;
    using npc::Protocol::run_later;
    npc::Error severed;
    int transmitted = 0;

    void sever(const npc::Error& error) override {
        severed = error;
        end_all(error);
    }

protected:
    void transmit(const npc::Frames&) override { ++transmitted; }
    double now_s() const override { return 0; }
};

inline std::string unhex(const std::string& hex) {
    std::string bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
        bytes.push_back(static_cast<char>(std::strtoul(hex.substr(at, 2).c_str(), nullptr, 16)));
    return bytes;
}

inline npc::Frames frames_of(const npc::Value& vector) {
    npc::Frames frames;
    for (const npc::Value& frame : *vector.find("frames")->array()) frames.push_back(unhex(*frame.text()));
    return frames;
}

inline bool read_json(const std::string& path, npc::Value& value) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    const std::string all = text.str();
    return file && JsonReader(all).read(value) && value.array() != nullptr && !value.array()->empty();
}

inline std::string problem_of_valid(const npc::Value& vector) {
    const npc::Frames frames = frames_of(vector);
    const npc::Value& body = *vector.find("body");
    npc::Value read, again;
    npc::MsgpackReader reader(frames[0]);
    if (!reader.read(read)) return reader.problem();
    if (read != body) return "it means something else";
    npc::MsgpackWriter writer;
    if (!writer.write(body)) return writer.problem();
    const std::string written = writer.bytes();
    if (!npc::MsgpackReader(written).read(again) || again != body) return "written and read it is something else";
    if (vector.text_of("sender") != "server") return "";
    Offline offline;
    offline.receive(frames);
    const std::string wanted = body.text_of("type") == "goodbye" ? "connection_lost" : "";
    return offline.severed.code == wanted ? "" : "the connection ended: " + offline.severed.message;
}

// What a client may not send, a server may not send either: but for the one message that is a server's own.
inline std::string problem_of_invalid(const npc::Value& vector) {
    Offline offline;
    offline.receive(frames_of(vector));
    const bool is_servers = vector.text_of("name") == "a server's type";
    return (offline.severed.code == "protocol") != is_servers ? "" : "severed with '" + offline.severed.code + "'";
}

// Every cut of a good message, and bytes that no peer should send, end in an error and in no crash.
inline std::string problem_of_cut(const npc::Value& vector) {
    const std::string whole = frames_of(vector)[0];
    for (std::size_t length = 0; length < whole.size(); ++length) {
        Offline offline;
        offline.receive({whole.substr(0, length)});
        if (offline.severed.code != "protocol") return "cut at " + std::to_string(length) + " it is taken";
    }
    return "";
}

// A byte changed is taken for what it then means, or refused as what the protocol does not allow; never worse.
inline std::string problem_of_change(const npc::Value& vector) {
    const std::string whole = frames_of(vector)[0];
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int mask : {0x01, 0x10, 0x40, 0x80, 0xFF}) {
            std::string changed = whole;
            changed[at] = static_cast<char>(changed[at] ^ mask);
            Offline offline;
            offline.receive({changed});
            const std::string code = offline.severed.code;
            if (!code.empty() && code != "protocol" && code != "connection_lost") return "severed with " + code;
        }
    }
    return "";
}

inline npc::Zmtp shaken() {
    npc::Zmtp zmtp;
    zmtp.feed(std::string("\xFF\0\0\0\0\0\0\0\0\x7F\x03\x01", 12) + "NULL" + std::string(48, '\0'));
    zmtp.feed(std::string("\x04\x06\x05READY", 8));
    zmtp.sent(zmtp.outgoing().size());
    return zmtp;
}

inline std::string problem_of_bytes(const std::string& bytes) {
    npc::Zmtp zmtp = shaken();
    return zmtp.is_ready() && !zmtp.feed(bytes) && zmtp.trouble() == npc::Zmtp::Trouble::protocol ? "" : "it was taken";
}

inline std::string problem_of_ping() {
    npc::Zmtp zmtp = shaken();
    const std::string ping = std::string("\x04\x09\x04PING\0\x0A", 9) + "ab";
    for (const char byte : ping) zmtp.feed(std::string(1, byte));
    return zmtp.outgoing() == std::string("\x04\x07\x04PONG") + "ab" ? "" : "the answer is no PONG";
}

inline std::string problem_of_pixels() {
    const unsigned char rows[] = {255, 0, 0, 0, 255, 0, 9, 9};  // 2 by 1, in rows of 8 bytes of which 6 are pixels
    const npc::Image image = npc::raw_image(2, 1, false, rows, 8);
    const std::string wanted = unhex("000000020000000100000008ff000000ff000000");
    return image.media_type == "image/x-rgb8" && image.data == wanted ? "" : "the picture is another";
}

inline std::string problem_of_long_frame() {
    npc::Zmtp zmtp = shaken(), other = shaken();
    const npc::Frames sent = {std::string(300, 'x'), std::string(70'000, 'y'), ""};
    npc::Frames came;
    zmtp.send(sent);
    other.feed(zmtp.outgoing());
    return other.next(came) && came == sent ? "" : "the frames came otherwise";
}

inline int run_vectors(const std::string& folder) {
    npc::Value valid, invalid;
    int failures = 0, passed = 0;
    const auto note = [&](const std::string& name, const std::string& problem) {
        if (problem.empty()) return void(++passed);
        ++failures;
        std::printf("failed %s: %s\n", name.c_str(), problem.c_str());
    };
    if (!read_json(folder + "/valid.json", valid) || !read_json(folder + "/invalid.json", invalid)) {
        std::printf("failed: no golden frames in %s\n", folder.c_str());
        return 1;
    }
    for (const npc::Value& vector : *valid.array()) {
        note(vector.text_of("name"), problem_of_valid(vector));
        note(vector.text_of("name") + ", cut", problem_of_cut(vector));
        note(vector.text_of("name") + ", changed", problem_of_change(vector));
    }
    for (const npc::Value& vector : *invalid.array()) note(vector.text_of("name"), problem_of_invalid(vector));
    std::string endless;
    for (int count = 0; count < 17; ++count) endless.append("\x01\0", 2);
    note("endless frames", problem_of_bytes(endless));
    note("a frame of 16 MB and a byte", problem_of_bytes(std::string("\x02\0\0\0\0\x01\0\0\x01", 9)));
    note("a frame of 64 bits", problem_of_bytes("\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
    note("a command of 1 MB", problem_of_bytes(std::string("\x06\0\0\0\0\0\x10\0\0", 9)));
    note("flags that nobody knows", problem_of_bytes(std::string("\x08\0", 2)));
    note("an http server", npc::Zmtp().feed("HTTP/1.1 400 Bad Request\r\n") ? "it was taken" : "");
    note("ping byte by byte", problem_of_ping());
    note("long frames", problem_of_long_frame());
    note("raw pixels", problem_of_pixels());
    std::printf("vectors: %d passed, %d failed\n", passed, failures);
    return failures == 0 ? 0 : 1;
}
