#pragma once

#include "CoreMinimal.h"

namespace EEndPlayReason
{
enum Type : int { Destroyed, LevelTransition, EndPlayInEditor, RemovedFromWorld, Quit };
}

struct FActorComponentTickFunction
{
    uint8 bCanEverTick : 1;
};

class UActorComponent : public UObject
{
public:
    virtual void BeginPlay() {}
    virtual void EndPlay(const EEndPlayReason::Type EndPlayReason) { (void)EndPlayReason; }
    UWorld* GetWorld() const override { return World; }

    FActorComponentTickFunction PrimaryComponentTick;
    UWorld* World = nullptr;

protected:
    using Super = UActorComponent;
};
