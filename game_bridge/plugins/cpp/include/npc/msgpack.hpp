// Values to msgpack and back, as strict as the protocol: no binary, no extensions, no key twice, finite numbers, UTF-8.
// Never throws and never reserves more memory than the bytes that came can fill.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <string_view>

#include "value.hpp"

namespace npc {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxValues = 20'000;

// Whether the bytes are UTF-8, without surrogates and longer forms than needed.
inline bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
        const unsigned lead = byte(at);
        const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
        if (length == 0 || at + length > text.size()) return false;
        std::uint32_t code = length == 1 ? lead : lead & (0xFFu >> (length + 1));
        for (std::size_t next = 1; next < length; ++next) {
            if (byte(at + next) >> 6 != 2) return false;
            code = code << 6 | (byte(at + next) & 0x3Fu);
        }
        constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
        at += length;
    }
    return true;
}

// Writes one value, with the shortest form of every number and length.
class MsgpackWriter {
public:
    // True if all of it could be written; else problem() says why not.
    bool write(const Value& value) { return put(value, 0); }
    const std::string& bytes() const { return bytes_; }
    const std::string& problem() const { return problem_; }

private:
    bool put(const Value& value, int depth) {
        if (depth > kMaxDepth) return fail("nested deeper than 16");
        if (++values_ > kMaxValues) return fail("more than 20000 values");
        if (value.is_nil()) return byte(0xC0);
        if (const bool* flag = value.boolean()) return byte(*flag ? 0xC3 : 0xC2);
        if (const std::int64_t* number = value.integer()) return put_integer(*number);
        if (const double* number = value.real()) return put_real(*number);
        if (const std::string* text = value.text()) return put_text(*text);
        if (const Array* items = value.array()) {
            head(items->size(), 0x90, 16, 0xDC);
            for (const Value& item : *items)
                if (!put(item, depth + 1)) return false;
            return true;
        }
        return put_map(*value.map(), depth);
    }

    bool put_map(const Map& members, int depth) {
        head(members.size(), 0x80, 16, 0xDE);
        std::set<std::string_view> keys;
        for (const auto& member : members) {
            if (!keys.insert(member.first).second) return fail("the key '" + member.first + "' comes twice");
            if (!put_text(member.first) || !put(member.second, depth + 1)) return false;
        }
        return true;
    }

    bool put_integer(std::int64_t number) {
        const auto bits = static_cast<std::uint64_t>(number);
        if (number >= -32 && number < 128) return byte(static_cast<unsigned>(bits & 0xFF));
        if (number >= 0) {
            if (number <= 0xFF) return byte(0xCC) && big_endian(bits, 1);
            if (number <= 0xFFFF) return byte(0xCD) && big_endian(bits, 2);
            return number <= 0xFFFFFFFF ? byte(0xCE) && big_endian(bits, 4) : byte(0xCF) && big_endian(bits, 8);
        }
        if (number >= INT8_MIN) return byte(0xD0) && big_endian(bits, 1);
        if (number >= INT16_MIN) return byte(0xD1) && big_endian(bits, 2);
        return number >= INT32_MIN ? byte(0xD2) && big_endian(bits, 4) : byte(0xD3) && big_endian(bits, 8);
    }

    bool put_real(double number) {
        if (!std::isfinite(number)) return fail("a number that is not finite");
        std::uint64_t bits = 0;
        std::memcpy(&bits, &number, sizeof bits);
        return byte(0xCB) && big_endian(bits, 8);
    }

    bool put_text(const std::string& text) {
        if (!is_utf8(text)) return fail("a text that is not UTF-8");
        if (text.size() > 31 && text.size() <= 0xFF) {
            byte(0xD9);
            big_endian(text.size(), 1);
        } else {
            head(text.size(), 0xA0, 32, 0xDA);
        }
        bytes_ += text;
        return true;
    }

    // The count of an array, map or text: within the first byte, or in 2 or 4 bytes after it.
    void head(std::size_t count, unsigned small, std::size_t below, unsigned wide) {
        if (count < below) {
            byte(small | static_cast<unsigned>(count));
        } else if (count <= 0xFFFF) {
            byte(wide);
            big_endian(count, 2);
        } else {
            byte(wide + 1);
            big_endian(count, 4);
        }
    }

    bool byte(unsigned value) {
        bytes_.push_back(static_cast<char>(value));
        return true;
    }
    bool big_endian(std::uint64_t bits, int width) {
        for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) byte(static_cast<unsigned>(bits >> shift & 0xFF));
        return true;
    }
    bool fail(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }

    std::string bytes_;
    std::string problem_;
    std::size_t values_ = 0;
};

// Reads one value that fills all of the bytes.
class MsgpackReader {
public:
    explicit MsgpackReader(std::string_view bytes) : bytes_(bytes) {}

    // True if value is what the bytes mean; else problem() says why they mean nothing.
    bool read(Value& value) {
        if (!take(value, 0)) return false;
        return at_ == bytes_.size() || fail("bytes after the value");
    }
    const std::string& problem() const { return problem_; }

private:
    bool take(Value& value, int depth) {
        std::uint64_t head = 0;
        if (depth > kMaxDepth) return fail("nested deeper than 16");
        if (++values_ > kMaxValues) return fail("more than 20000 values");
        if (!number(head, 1)) return false;
        if (head < 0x80) return give(value, head);
        if (head < 0x90) return take_map(value, head & 0x0F, depth);
        if (head < 0xA0) return take_array(value, head & 0x0F, depth);
        if (head < 0xC0) return take_text(value, head & 0x1F);
        if (head >= 0xE0) return give(value, static_cast<std::int64_t>(head) - 256);
        return take_wide(value, head, depth);
    }

    bool take_wide(Value& value, std::uint64_t head, int depth) {
        std::uint64_t bits = 0;
        switch (head) {
            case 0xC0: return give(value, nullptr);
            case 0xC2: return give(value, false);
            case 0xC3: return give(value, true);
            case 0xCA: return number(bits, 4) && take_single(value, static_cast<std::uint32_t>(bits));
            case 0xCB: return number(bits, 8) && take_double(value, bits);
            case 0xCC: case 0xCD: case 0xCE: case 0xCF:
                if (!number(bits, 1 << (head - 0xCC))) return false;
                if (bits > static_cast<std::uint64_t>(INT64_MAX)) return fail("an integer of 65 bits");
                return give(value, bits);
            case 0xD0: return number(bits, 1) && give(value, static_cast<std::int8_t>(bits));
            case 0xD1: return number(bits, 2) && give(value, static_cast<std::int16_t>(bits));
            case 0xD2: return number(bits, 4) && give(value, static_cast<std::int32_t>(bits));
            case 0xD3: return number(bits, 8) && give(value, static_cast<std::int64_t>(bits));
            case 0xD9: case 0xDA: case 0xDB: return number(bits, 1 << (head - 0xD9)) && take_text(value, bits);
            case 0xDC: case 0xDD: return number(bits, 2 << (head - 0xDC)) && take_array(value, bits, depth);
            case 0xDE: case 0xDF: return number(bits, 2 << (head - 0xDE)) && take_map(value, bits, depth);
            default: return fail("a type that the protocol does not use");
        }
    }

    bool take_single(Value& value, std::uint32_t bits) {
        float single = 0;
        std::memcpy(&single, &bits, sizeof single);
        return std::isfinite(single) ? give(value, static_cast<double>(single)) : fail("a number that is not finite");
    }

    bool take_double(Value& value, std::uint64_t bits) {
        double real = 0;
        std::memcpy(&real, &bits, sizeof real);
        return std::isfinite(real) ? give(value, real) : fail("a number that is not finite");
    }

    bool take_text(Value& value, std::uint64_t length) {
        if (length > bytes_.size() - at_) return fail("cut short");
        const std::string_view text = bytes_.substr(at_, static_cast<std::size_t>(length));
        if (!is_utf8(text)) return fail("a text that is not UTF-8");
        at_ += text.size();
        return give(value, std::string(text));
    }

    bool take_array(Value& value, std::uint64_t count, int depth) {
        if (!has_room(count, 1)) return false;
        Array items(static_cast<std::size_t>(count));
        for (Value& item : items)
            if (!take(item, depth + 1)) return false;
        return give(value, std::move(items));
    }

    bool take_map(Value& value, std::uint64_t count, int depth) {
        if (!has_room(count, 2)) return false;
        Map members(static_cast<std::size_t>(count));
        std::set<std::string_view> keys;
        for (auto& member : members) {
            Value key;
            if (!take(key, depth)) return false;
            --values_;  // a key is no value of its own
            if (key.text() == nullptr) return fail("a key that is no text");
            member.first = *key.text();
            if (!keys.insert(member.first).second) return fail("the key '" + member.first + "' comes twice");
            if (!take(member.second, depth + 1)) return false;
        }
        return give(value, std::move(members));
    }

    // Checked before memory is taken: so many values must still fit into the bytes, and into the bound of all values.
    bool has_room(std::uint64_t count, std::uint64_t bytes_each) {
        if (count > kMaxValues - values_) return fail("more than 20000 values");
        return count * bytes_each <= bytes_.size() - at_ || fail("cut short");
    }

    bool number(std::uint64_t& bits, int width) {
        if (static_cast<std::size_t>(width) > bytes_.size() - at_) return fail("cut short");
        bits = 0;
        for (int index = 0; index < width; ++index) bits = bits << 8 | static_cast<unsigned char>(bytes_[at_++]);
        return true;
    }

    template <class Native>
    bool give(Value& value, Native&& native) {
        value = Value(std::forward<Native>(native));
        return true;
    }
    bool fail(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    std::size_t values_ = 0;
    std::string problem_;
};

}  // namespace npc
