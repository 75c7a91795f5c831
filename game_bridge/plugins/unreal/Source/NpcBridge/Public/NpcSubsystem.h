// The game's one connection to the NPC server. Ticks by itself, also while the game is paused.
#pragma once

#include "Containers/Ticker.h"
#include "CoreMinimal.h"
#include "Subsystems/GameInstanceSubsystem.h"
#include "NpcSubsystem.generated.h"

namespace npc { class Client; }

DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FNpcConnected, const TArray<FString>&, NpcIds);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(FNpcLost, const FString&, Code, const FString&, Message);

UCLASS()
class NPCBRIDGE_API UNpcSubsystem : public UGameInstanceSubsystem
{
    GENERATED_BODY()

public:
    virtual void Deinitialize() override;

    // Begin to connect, and reconnect after every cut. An empty token is taken from NPC_SERVER_TOKEN.
    UFUNCTION(BlueprintCallable, Category = "NPC")
    void Connect(const FString& Host = TEXT("127.0.0.1"), int32 Port = 5577, const FString& Token = TEXT(""));

    UFUNCTION(BlueprintCallable, Category = "NPC")
    void Disconnect();

    UFUNCTION(BlueprintPure, Category = "NPC")
    bool IsConnected() const;

    // A variable that personas' situation lines may use; of the whole world where NpcId is empty.
    UFUNCTION(BlueprintCallable, Category = "NPC")
    void SetState(const FString& Name, const FString& Value, const FString& NpcId = TEXT(""));

    // Seconds for the connection, and for each answer but a reply; counts from the next Connect on.
    UPROPERTY(BlueprintReadWrite, Category = "NPC")
    float Patience = 5.0f;

    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcConnected OnConnected;

    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcLost OnLost;

    // Null until Connect was called. Shared, so that components may outlive the subsystem by a frame.
    TSharedPtr<npc::Client> GetClient() const { return Client; }

private:
    bool Poll(float DeltaSeconds);

    TSharedPtr<npc::Client> Client;
    FTSTicker::FDelegateHandle Ticking;
};
