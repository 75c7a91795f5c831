// A small JSON reader for the golden frames. Part of the tests only: the client itself needs no JSON.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>

#include "npc/value.hpp"

class JsonReader {
public:
    explicit JsonReader(const std::string& text) : text_(text) {}

    // True if value is what the whole text means.
    bool read(npc::Value& value) {
        if (!take(value)) return false;
        blanks();
        return at_ == text_.size();
    }

private:
    bool take(npc::Value& value) {
        blanks();
        if (at_ == text_.size()) return false;
        const char lead = text_[at_];
        if (lead == '{') return take_object(value);
        if (lead == '[') return take_array(value);
        if (lead == '"') {
            std::string text;
            if (!take_text(text)) return false;
            value = text;
            return true;
        }
        if (word("true")) return (value = true, true);
        if (word("false")) return (value = false, true);
        if (word("null")) return (value = nullptr, true);
        return take_number(value);
    }

    bool take_object(npc::Value& value) {
        npc::Map members;
        ++at_;
        while (!sign('}')) {
            std::string key;
            npc::Value member;
            if (!members.empty() && !sign(',')) return false;
            blanks();
            if (!take_text(key) || !sign(':') || !take(member)) return false;
            members.emplace_back(key, member);
        }
        value = members;
        return true;
    }

    bool take_array(npc::Value& value) {
        npc::Array items;
        ++at_;
        while (!sign(']')) {
            npc::Value item;
            if (!items.empty() && !sign(',')) return false;
            if (!take(item)) return false;
            items.push_back(item);
        }
        value = items;
        return true;
    }

    bool take_number(npc::Value& value) {
        const std::size_t end = text_.find_first_not_of("+-.0123456789eE", at_);
        const std::string number = text_.substr(at_, end - at_);
        if (number.empty()) return false;
        at_ += number.size();
        if (number.find_first_of(".eE") == std::string::npos) value = std::strtoll(number.c_str(), nullptr, 10);
        else value = std::strtod(number.c_str(), nullptr);
        return true;
    }

    bool take_text(std::string& text) {
        if (at_ == text_.size() || text_[at_] != '"') return false;
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (text_[at_] != '\\') {
                text.push_back(text_[at_]);
                continue;
            }
            if (++at_ == text_.size()) return false;
            const std::string from = "bfnrt", to = "\b\f\n\r\t";
            const std::size_t known = from.find(text_[at_]);
            if (text_[at_] == 'u') put_code(text);
            else text.push_back(known != std::string::npos ? to[known] : text_[at_]);
        }
        return at_++ < text_.size();
    }

    void put_code(std::string& text) {
        unsigned long code = hex();
        if (code >= 0xD800 && code < 0xDC00) {
            at_ += 2;
            code = 0x10000 + ((code - 0xD800) << 10) + (hex() - 0xDC00);
        }
        const auto put = [&](unsigned long byte) { text.push_back(static_cast<char>(byte)); };
        if (code < 0x80) return put(code);
        if (code >= 0x10000) {
            put(0xF0 | code >> 18);
            put(0x80 | (code >> 12 & 0x3F));
        } else if (code >= 0x800) {
            put(0xE0 | code >> 12);
        } else {
            put(0xC0 | code >> 6);
            return put(0x80 | (code & 0x3F));
        }
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }

    unsigned long hex() {
        const std::string digits = text_.substr((std::min)(at_ + 1, text_.size()), 4);
        at_ += digits.size();
        return std::strtoul(digits.c_str(), nullptr, 16);
    }

    bool sign(char wanted) {
        blanks();
        if (at_ == text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }
    bool word(const std::string& wanted) {
        if (text_.compare(at_, wanted.size(), wanted) != 0) return false;
        at_ += wanted.size();
        return true;
    }
    void blanks() {
        at_ = (std::min)(text_.find_first_not_of(" \n\r\t", at_), text_.size());
    }

    const std::string& text_;
    std::size_t at_ = 0;
};
