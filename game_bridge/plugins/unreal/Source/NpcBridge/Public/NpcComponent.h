// One NPC that the player can talk to: put it on the NPC's actor and set NpcId.
#pragma once

#include "Components/ActorComponent.h"
#include "CoreMinimal.h"
#include "NpcComponent.generated.h"

struct FNpcConversation;

DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(FNpcText, const FString&, Text);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(FNpcFinished, const FString&, Text, const FString&, Reason);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(FNpcFailed, const FString&, Code, const FString&, Message,
                                               bool, bCanRetry);
DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(FNpcToolCalled, const FString&, CallId, const FString&, Name,
                                               const FString&, ArgumentsJson);

UCLASS(ClassGroup = (NPC), meta = (BlueprintSpawnableComponent))
class NPCBRIDGE_API UNpcComponent : public UActorComponent
{
    GENERATED_BODY()

public:
    UNpcComponent();
    virtual void EndPlay(const EEndPlayReason::Type Reason) override;

    // One of the ids that OnConnected of the subsystem names; another one, or another player, from the next Ask on.
    UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "NPC")
    FString NpcId;

    UPROPERTY(EditAnywhere, BlueprintReadWrite, Category = "NPC")
    FString PlayerName = TEXT("Traveller");

    // The player speaks. Ends in exactly one OnResponseFinished or OnResponseFailed.
    UFUNCTION(BlueprintCallable, Category = "NPC")
    void Ask(const FString& Text);

    // Stop speaking: OnResponseFinished follows, with reason cancelled.
    UFUNCTION(BlueprintCallable, Category = "NPC")
    void Cancel();

    // What came of a call of OnToolCalled. False if it is not open (any more).
    UFUNCTION(BlueprintCallable, Category = "NPC")
    bool HandleToolCompletion(const FString& CallId, bool bSuccess, const FString& Outcome);

    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcText OnGreeting;

    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcText OnResponseUpdated;

    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcText OnSentenceFinished;

    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcFinished OnResponseFinished;

    // What the NPC may say instead, where the model failed before a word; comes before OnResponseFailed.
    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcText OnBark;

    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcFailed OnResponseFailed;

    UPROPERTY(BlueprintAssignable, Category = "NPC")
    FNpcToolCalled OnToolCalled;

private:
    struct FEar;

    FNpcConversation* Open();

    TSharedPtr<FNpcConversation> Conversation;
    int32 Play = 0;
};
