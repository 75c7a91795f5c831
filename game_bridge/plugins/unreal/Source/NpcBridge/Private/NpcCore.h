// The C++ client between the fences that Unreal wants around foreign and platform headers. Private files only.
#pragma once

#include "CoreMinimal.h"

// the engine's wrapper first: winsock2.h would bring the system's macros along, GetEnvironmentVariable for one
#if PLATFORM_WINDOWS
#include "Windows/WindowsHWrapper.h"
#endif
THIRD_PARTY_INCLUDES_START
#if PLATFORM_WINDOWS
#include "Windows/AllowWindowsPlatformTypes.h"
#include "Windows/PreWindowsApi.h"
#endif
#include "npc/conversation.hpp"
#if PLATFORM_WINDOWS
#include "Windows/PostWindowsApi.h"
#include "Windows/HideWindowsPlatformTypes.h"
#endif
THIRD_PARTY_INCLUDES_END

inline std::string ToCore(const FString& Text)
{
    return std::string(TCHAR_TO_UTF8(*Text));
}

inline FString ToUnreal(const std::string& Text)
{
    return FString(UTF8_TO_TCHAR(Text.c_str()));
}
