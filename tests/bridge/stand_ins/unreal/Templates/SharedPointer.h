#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

template <class T>
std::remove_reference_t<T>&& MoveTemp(T&& Moved)
{
    using Plain = std::remove_reference_t<T>;
    static_assert(std::is_lvalue_reference_v<T> && !std::is_const_v<Plain>, "the engine moves what can be moved");
    return static_cast<Plain&&>(Moved);
}

// The deleter is known where it was made, so T may be incomplete elsewhere.
template <class T>
class TSharedPtr
{
public:
    TSharedPtr(std::nullptr_t = nullptr) {}
    explicit TSharedPtr(std::shared_ptr<T> InHeld) : Held(std::move(InHeld)) {}

    bool IsValid() const { return Held != nullptr; }
    T* Get() const { return Held.get(); }
    T* operator->() const { return check(Held != nullptr), Held.get(); }
    T& operator*() const { return check(Held != nullptr), *Held; }
    void Reset() { Held.reset(); }
    bool operator==(const TSharedPtr& Other) const { return Held == Other.Held; }
    bool operator!=(const TSharedPtr& Other) const { return Held != Other.Held; }

private:
    std::shared_ptr<T> Held;
};

// Never null.
template <class T>
class TSharedRef
{
public:
    explicit TSharedRef(std::shared_ptr<T> InHeld) : Held(std::move(InHeld)) { check(Held != nullptr); }

    T* operator->() const { return Held.get(); }
    T& operator*() const { return *Held; }

private:
    std::shared_ptr<T> Held;
};

template <class T, class... Arguments>
TSharedPtr<T> MakeShared(Arguments&&... Given)
{
    return TSharedPtr<T>(std::make_shared<T>(std::forward<Arguments>(Given)...));
}
