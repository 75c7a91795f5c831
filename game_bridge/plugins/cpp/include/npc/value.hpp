// What a map of the protocol may hold: nil, boolean, integer, float, text, array, map. Knows nothing of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace npc {

class Value;
using Array = std::vector<Value>;
using Map = std::vector<std::pair<std::string, Value>>;  // in the order in which it is written; keys are unique

class Value {
public:
    Value() = default;
    Value(std::nullptr_t) {}
    Value(bool flag) : kind_(Kind::boolean), boolean_(flag) {}
    template <class Integer, std::enable_if_t<std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>, int> = 0>
    Value(Integer number) : kind_(Kind::integer), integer_(static_cast<std::int64_t>(number)) {}
    Value(double number) : kind_(Kind::real), real_(number) {}
    Value(const char* text) : kind_(Kind::text), text_(text) {}
    Value(std::string text) : kind_(Kind::text), text_(std::move(text)) {}
    Value(Array items) : kind_(Kind::array), array_(std::move(items)) {}
    Value(Map members) : kind_(Kind::map), map_(std::move(members)) {}

    bool is_nil() const { return kind_ == Kind::nil; }
    // Null where the value is of another type.
    const bool* boolean() const { return kind_ == Kind::boolean ? &boolean_ : nullptr; }
    const std::int64_t* integer() const { return kind_ == Kind::integer ? &integer_ : nullptr; }
    const double* real() const { return kind_ == Kind::real ? &real_ : nullptr; }
    const std::string* text() const { return kind_ == Kind::text ? &text_ : nullptr; }
    const Array* array() const { return kind_ == Kind::array ? &array_ : nullptr; }
    const Map* map() const { return kind_ == Kind::map ? &map_ : nullptr; }

    // The member of this name; null where there is none, or where this is no map.
    const Value* find(const std::string& name) const {
        const Map* members = map();
        if (members == nullptr) return nullptr;
        for (const auto& member : *members)
            if (member.first == name) return &member.second;
        return nullptr;
    }

    // Short ways for what has been checked already, or has a default.
    std::string text_of(const std::string& name) const {
        const Value* found = find(name);
        return found != nullptr && found->text() != nullptr ? *found->text() : std::string();
    }
    std::int64_t integer_of(const std::string& name, std::int64_t otherwise = 0) const {
        const Value* found = find(name);
        return found != nullptr && found->integer() != nullptr ? *found->integer() : otherwise;
    }
    double real_of(const std::string& name, double otherwise = 0.0) const {
        const Value* found = find(name);
        if (found == nullptr) return otherwise;
        if (found->integer() != nullptr) return static_cast<double>(*found->integer());
        return found->real() != nullptr ? *found->real() : otherwise;
    }
    bool boolean_of(const std::string& name) const {
        const Value* found = find(name);
        return found != nullptr && found->boolean() != nullptr && *found->boolean();
    }

    // The order of members does not matter.
    friend bool operator==(const Value& left, const Value& right) {
        if (left.kind_ != right.kind_ || left.map_.size() != right.map_.size()) return false;
        if (left.boolean_ != right.boolean_ || left.integer_ != right.integer_) return false;
        if (left.real_ < right.real_ || left.real_ > right.real_) return false;
        if (left.text_ != right.text_ || left.array_ != right.array_) return false;
        for (const auto& member : left.map_) {
            const Value* found = right.find(member.first);
            if (found == nullptr || !(*found == member.second)) return false;
        }
        return true;
    }
    friend bool operator!=(const Value& left, const Value& right) { return !(left == right); }

private:
    enum class Kind : unsigned char { nil, boolean, integer, real, text, array, map };

    // Not std::variant: compilers warn of its insides at some levels of optimization, and games build with -Werror.
    Kind kind_ = Kind::nil;
    bool boolean_ = false;
    std::int64_t integer_ = 0;
    double real_ = 0.0;
    std::string text_;
    Array array_;
    Map map_;
};

}  // namespace npc
