#pragma once

#include "CoreMinimal.h"

template <class CharType>
struct TCondensedJsonPrintPolicy
{
};
