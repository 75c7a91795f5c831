#pragma once

#include <memory>

class UWorld;

// Garbage first, and gone when the collector comes: in between nobody finds it any more.
class UObject
{
public:
    UObject() : Slot(std::make_shared<UObject*>(this)) {}
    virtual ~UObject() { *Slot = nullptr; }
    UObject(const UObject&) = delete;
    UObject& operator=(const UObject&) = delete;

    virtual UWorld* GetWorld() const { return nullptr; }
    void MarkAsGarbage() { *Slot = nullptr; }

    std::shared_ptr<UObject*> Slot;
};

template <class T>
class TWeakObjectPtr
{
public:
    TWeakObjectPtr() = default;
    TWeakObjectPtr(T* Object) : Slot(Object->Slot) {}

    T* Get() const { return Slot != nullptr ? static_cast<T*>(*Slot) : nullptr; }

private:
    std::shared_ptr<UObject*> Slot;
};
