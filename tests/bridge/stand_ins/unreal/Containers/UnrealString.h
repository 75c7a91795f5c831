#pragma once

#include <cstdio>
#include <string>
#include <vector>

class FString
{
public:
    FString() = default;
    FString(const TCHAR* Text) : Units(Text) {}

    const TCHAR* operator*() const { return Units.c_str(); }
    bool IsEmpty() const { return Units.empty(); }
    FString& operator+=(const FString& More) { return Units += More.Units, *this; }
    // as in the engine: letters of either case are the same
    friend bool operator==(const FString& Left, const FString& Right) { return Lower(Left) == Lower(Right); }
    friend bool operator==(const FString& Left, const TCHAR* Right) { return Left == FString(Right); }

private:
    static std::basic_string<TCHAR> Lower(const FString& Text)
    {
        std::basic_string<TCHAR> Lowered = Text.Units;
        for (TCHAR& Unit : Lowered)
            if (Unit >= TCHAR('A') && Unit <= TCHAR('Z')) Unit = TCHAR(Unit - TCHAR('A') + TCHAR('a'));
        return Lowered;
    }

    std::basic_string<TCHAR> Units;
};

template <class T>
class TArray
{
public:
    int32 Add(T Item) { return Items.push_back(std::move(Item)), Num() - 1; }
    int32 Num() const { return static_cast<int32>(Items.size()); }
    const T& operator[](int32 Index) const { return Items.at(static_cast<std::size_t>(Index)); }
    auto begin() const { return Items.begin(); }
    auto end() const { return Items.end(); }

private:
    std::vector<T> Items;
};

namespace StandIns
{
std::string Narrow(const TCHAR* Text);
std::basic_string<TCHAR> Widen(const char* Text);
void Log(const char* Channel, const TCHAR* Format, const TCHAR* Told = TEXT(""));
int Warnings();
}

// live until the end of the expression, as the engine's conversions
#define TCHAR_TO_UTF8(Text) (StandIns::Narrow(Text).c_str())
#define UTF8_TO_TCHAR(Text) (StandIns::Widen(Text).c_str())
