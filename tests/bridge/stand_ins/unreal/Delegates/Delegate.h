#pragma once

#include <functional>
#include <vector>

template <class Signature>
class TDelegate;

// One method of one object, which is not kept alive.
template <class Result, class... Parameters>
class TDelegate<Result(Parameters...)>
{
public:
    template <class T>
    static TDelegate CreateUObject(T* Object, Result (T::*Method)(Parameters...))
    {
        TDelegate Made;
        Made.IsThere = [Weak = TWeakObjectPtr<T>(Object)] { return Weak.Get() != nullptr; };
        Made.Call = [Object, Method](Parameters... Given) { return (Object->*Method)(Given...); };
        return Made;
    }

    bool IsBound() const { return IsThere && IsThere(); }
    Result Execute(Parameters... Given) const { return Call(Given...); }

private:
    std::function<bool()> IsThere;
    std::function<Result(Parameters...)> Call;
};

template <class... Parameters>
class TDynamicMulticast
{
public:
    template <class T>
    void Listen(T* Object, void (T::*Method)(Parameters...))
    {
        Listeners.push_back([Weak = TWeakObjectPtr<T>(Object), Method](Parameters... Given) {
            if (T* Hearer = Weak.Get()) (Hearer->*Method)(Given...);
        });
    }

    bool IsBound() const { return !Listeners.empty(); }

    // Of the list as it is now: a listener may add some, or destroy who broadcasts.
    void Broadcast(Parameters... Given) const
    {
        const auto Now = Listeners;
        for (const auto& Listener : Now) Listener(Given...);
    }

private:
    std::vector<std::function<void(Parameters...)>> Listeners;
};

#define AddDynamic(Object, Method) Listen(Object, Method)
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(Name, Type1, Name1) \
    class Name : public TDynamicMulticast<Type1> {}
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(Name, Type1, Name1, Type2, Name2) \
    class Name : public TDynamicMulticast<Type1, Type2> {}
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(Name, Type1, Name1, Type2, Name2, Type3, Name3) \
    class Name : public TDynamicMulticast<Type1, Type2, Type3> {}
