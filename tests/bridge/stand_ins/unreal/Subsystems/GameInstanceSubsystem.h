#pragma once

#include "CoreMinimal.h"

class UGameInstanceSubsystem : public UObject
{
public:
    virtual void Deinitialize() {}

protected:
    using Super = UGameInstanceSubsystem;
};
