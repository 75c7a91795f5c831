// What was sent and heard since the welcome, so that a connection that broke goes on where it was. Knows frames only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "zmtp.hpp"

namespace npc {

class Ledger {
public:
    static constexpr std::size_t kMaxMessages = 256, kMaxBytes = 1u << 20;

    std::int64_t heard = 0;  // messages of the server's

    // A message goes out, and this is its number, from 1; the oldest of very many are forgotten.
    std::int64_t note(const Frames& frames) {
        ++sent_;
        bytes_ += size_of(frames);
        kept_.push_back(frames);
        while (!kept_.empty() && (kept_.size() > kMaxMessages || bytes_ > kMaxBytes)) {
            bytes_ -= size_of(kept_.front());
            kept_.pop_front();
        }
        return sent_;
    }

    // A message that is no longer meant: whoever did not hear it gets another in its place, so counts stay.
    void replace(std::int64_t number, const Frames& instead) {
        const std::int64_t index = static_cast<std::int64_t>(kept_.size()) - (sent_ - number) - 1;
        if (number < 1 || index < 0) return;
        Frames& kept = kept_[static_cast<std::size_t>(index)];
        bytes_ += size_of(instead) - size_of(kept);
        kept = instead;
    }

    // What was sent after the first count messages; false where that was forgotten, or never sent.
    bool after(std::int64_t count, std::deque<Frames>& missed) const {
        const std::int64_t left = sent_ - count;
        if (left < 0 || left > static_cast<std::int64_t>(kept_.size())) return false;
        missed.assign(kept_.end() - static_cast<std::ptrdiff_t>(left), kept_.end());
        return true;
    }

    void start_over() { *this = Ledger(); }

private:
    static std::size_t size_of(const Frames& frames) {
        std::size_t size = 0;
        for (const std::string& frame : frames) size += frame.size();
        return size;
    }

    std::int64_t sent_ = 0;
    std::size_t bytes_ = 0;
    std::deque<Frames> kept_;
};

}  // namespace npc
