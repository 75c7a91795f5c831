// What stands behind the stand-ins' headers, and how a step says that it did not pass.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "CoreMinimal.h"

namespace StandIns
{
inline const char*& Step()
{
    static const char* Name = "";
    return Name;
}

inline void Doing(const char* Name) { Step() = Name; }

[[noreturn]] inline void Fail(const std::string& Why)
{
    std::printf("failed %s: %s\n", Step(), Why.c_str());
    std::fflush(stdout);
    std::_Exit(1);
}

void Need(bool bIsSo, const char* Expression)
{
    if (!bIsSo) Fail(std::string("it is not so: ") + Expression);
}

inline void Same(const char* What, const std::string& Found, const std::string& Expected)
{
    if (Found != Expected) Fail(std::string(What) + ": '" + Found + "' and not '" + Expected + "'");
}

std::string Narrow(const TCHAR* Text)
{
    std::string Bytes;
    for (; *Text != TCHAR(0); ++Text)
    {
        char32_t Point = *Text;
        if (Point >= 0xD800 && Point < 0xDC00) Point = 0x10000 + ((Point - 0xD800) << 10) + (*++Text - 0xDC00);
        if (Point < 0x80) Bytes += static_cast<char>(Point);
        else if (Point < 0x800) Bytes += static_cast<char>(0xC0 | Point >> 6);
        else if (Point < 0x10000) Bytes += static_cast<char>(0xE0 | Point >> 12);
        else Bytes += static_cast<char>(0xF0 | Point >> 18);
        for (int Shift = Point < 0x80 ? -6 : Point < 0x800 ? 0 : Point < 0x10000 ? 6 : 12; Shift >= 0; Shift -= 6)
            Bytes += static_cast<char>(0x80 | (Point >> Shift & 0x3F));
    }
    return Bytes;
}

std::basic_string<TCHAR> Widen(const char* Text)
{
    std::basic_string<TCHAR> Units;
    const auto* Byte = reinterpret_cast<const unsigned char*>(Text);
    while (*Byte != 0)
    {
        const int More = *Byte < 0x80 ? 0 : *Byte < 0xE0 ? 1 : *Byte < 0xF0 ? 2 : 3;
        char32_t Point = More == 0 ? *Byte : *Byte & (0x3F >> More);
        ++Byte;
        for (int Left = More; Left > 0; --Left) Point = Point << 6 | (*Byte++ & 0x3F);
        if (Point >= 0x10000)
        {
            Units += static_cast<TCHAR>(0xD800 + ((Point - 0x10000) >> 10));
            Point = 0xDC00 + ((Point - 0x10000) & 0x3FF);
        }
        Units += static_cast<TCHAR>(Point);
    }
    return Units;
}

inline int& Logged()
{
    static int Count = 0;
    return Count;
}

void Log(const char* Channel, const TCHAR* Format, const TCHAR* Told)
{
    ++Logged();
    std::printf("# %s %s %s\n", Channel, Narrow(Format).c_str(), Narrow(Told).c_str());
}

int Warnings() { return Logged(); }

// Those so far, which were expected.
inline int TakeWarnings()
{
    const int Count = Logged();
    Logged() = 0;
    return Count;
}
}
