#pragma once

#include "CoreMinimal.h"
#include "Subsystems/GameInstanceSubsystem.h"

// Of the subsystems only the one that the stand-in is given.
class UGameInstance : public UObject
{
public:
    template <class T>
    T* GetSubsystem() const
    {
        return static_cast<T*>(Subsystem.get());
    }

    std::unique_ptr<UGameInstanceSubsystem> Subsystem;
};
