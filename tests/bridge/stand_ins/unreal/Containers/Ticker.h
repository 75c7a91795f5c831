#pragma once

#include "CoreMinimal.h"

using FTickerDelegate = TDelegate<bool(float)>;

// Calls each delegate once a tick, until it returns false or its object is gone.
class FTSTicker
{
    struct FElement
    {
        FTickerDelegate Delegate;
        bool bIsRemoved = false;
    };

public:
    class FDelegateHandle
    {
    public:
        void Reset() { Element.reset(); }

    private:
        friend class FTSTicker;
        std::weak_ptr<FElement> Element;
    };

    static FTSTicker& GetCoreTicker()
    {
        static FTSTicker Ticker;
        return Ticker;
    }

    FDelegateHandle AddTicker(const FTickerDelegate& InDelegate, float InDelay = 0.0f)
    {
        check(InDelay == 0.0f);
        Elements.push_back(std::make_shared<FElement>(FElement{InDelegate}));
        FDelegateHandle Handle;
        Handle.Element = Elements.back();
        return Handle;
    }

    static void RemoveTicker(FDelegateHandle Handle)
    {
        if (const auto Element = Handle.Element.lock()) Element->bIsRemoved = true;
    }

    void Tick(float DeltaTime)
    {
        const auto Now = Elements;
        for (const auto& Element : Now)
            if (!Element->bIsRemoved && (!Element->Delegate.IsBound() || !Element->Delegate.Execute(DeltaTime)))
                Element->bIsRemoved = true;
        std::vector<std::shared_ptr<FElement>> Left;
        for (const auto& Element : Elements)
            if (!Element->bIsRemoved) Left.push_back(Element);
        Elements = Left;
    }

    std::size_t Num() const { return Elements.size(); }

private:
    std::vector<std::shared_ptr<FElement>> Elements;
};
