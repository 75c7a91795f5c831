// The part of Unreal's API that the plugin uses: names, headers and signatures as its API reference has them (5.1 and
// later), and no more behaviour than a component can notice.
#pragma once

#include <cstdint>

#ifndef PLATFORM_WINDOWS
#define PLATFORM_WINDOWS 0
#endif

using int32 = std::int32_t;
using uint8 = std::uint8_t;
using int64 = signed long long;
#if PLATFORM_WINDOWS
using TCHAR = wchar_t;
#define TEXT(Literal) L##Literal
#else
using TCHAR = char16_t;
#define TEXT(Literal) u##Literal
#endif

// names that the engine takes from everybody who includes it
#define check(Expression) StandIns::Need((Expression), #Expression)
#define verify(Expression) StandIns::Need((Expression), #Expression)
#define ensure(Expression) (Expression)
#define checkf(Expression, ...) StandIns::Need((Expression), #Expression)
#define FORCEINLINE inline
#define PI (3.1415926535897932f)
#define THIRD_PARTY_INCLUDES_START
#define THIRD_PARTY_INCLUDES_END

// read by the engine's header tool; a class names its base Super
#define UCLASS(...)
#define UPROPERTY(...)
#define UFUNCTION(...)
#define GENERATED_BODY()

namespace StandIns
{
void Need(bool bIsSo, const char* Expression);
}

#include "Templates/SharedPointer.h"
#include "Containers/UnrealString.h"
#include "UObject/Object.h"
#include "Delegates/Delegate.h"

#define UE_LOG(Category, Verbosity, Format, ...) StandIns::Log(#Category " " #Verbosity, Format, ##__VA_ARGS__)
