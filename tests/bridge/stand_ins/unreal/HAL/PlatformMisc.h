#pragma once

#include <cstdlib>

#include "CoreMinimal.h"

struct FPlatformMisc
{
    static FString GetEnvironmentVariable(const TCHAR* VariableName)
    {
        const char* Found = std::getenv(StandIns::Narrow(VariableName).c_str());
        return Found != nullptr ? FString(UTF8_TO_TCHAR(Found)) : FString();
    }
};
