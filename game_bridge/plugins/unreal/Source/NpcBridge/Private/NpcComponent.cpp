#include "NpcComponent.h"

#include "Engine/GameInstance.h"
#include "Engine/World.h"
#include "NpcCore.h"
#include "NpcSubsystem.h"
#include "Policies/CondensedJsonPrintPolicy.h"
#include "Serialization/JsonWriter.h"

#include <map>

// The conversation with the client that it needs, and the calls that the game has not answered.
struct FNpcConversation
{
    FNpcConversation(const TSharedPtr<npc::Client>& InClient, const FString& InNpcId, const FString& InPlayer)
        : Client(InClient), NpcId(ToCore(InNpcId)), Player(ToCore(InPlayer)), Core(*InClient, NpcId, Player)
    {
    }

    // The engine's own comparison of texts takes no notice of case.
    bool IsOf(const FString& OtherNpcId, const FString& OtherPlayer) const
    {
        return NpcId == ToCore(OtherNpcId) && Player == ToCore(OtherPlayer);
    }

    TSharedPtr<npc::Client> Client;
    std::string NpcId, Player;
    npc::Conversation Core;
    // not TMap: the engine's containers move their elements as bytes, which a std::string need not survive
    std::map<std::string, npc::ToolCall> Calls;
};

// Who hears a reply: nobody after the EndPlay that followed its Ask.
struct UNpcComponent::FEar
{
    UNpcComponent* Get() const
    {
        UNpcComponent* Self = Owner.Get();
        return Self && Self->Play == Play ? Self : nullptr;
    }

    TWeakObjectPtr<UNpcComponent> Owner;
    int32 Play;
};

namespace
{
using FWriter = TJsonWriter<TCHAR, TCondensedJsonPrintPolicy<TCHAR>>;

void WriteMembers(FWriter& Writer, const npc::Map& Members);

void WriteItem(FWriter& Writer, const npc::Value& Value)
{
    if (Value.text()) Writer.WriteValue(ToUnreal(*Value.text()));
    else if (Value.integer()) Writer.WriteValue(static_cast<int64>(*Value.integer()));
    else if (Value.real()) Writer.WriteValue(*Value.real());
    else if (Value.boolean()) Writer.WriteValue(*Value.boolean());
    else if (Value.map())
    {
        Writer.WriteObjectStart();
        WriteMembers(Writer, *Value.map());
        Writer.WriteObjectEnd();
    }
    else if (Value.array())
    {
        Writer.WriteArrayStart();
        for (const npc::Value& Item : *Value.array()) WriteItem(Writer, Item);
        Writer.WriteArrayEnd();
    }
    else Writer.WriteNull();
}

void WriteMembers(FWriter& Writer, const npc::Map& Members)
{
    for (const auto& Member : Members)
    {
        Writer.WriteIdentifierPrefix(ToUnreal(Member.first));
        WriteItem(Writer, Member.second);
    }
}

FString ToJson(const npc::Value& Arguments)
{
    FString Json;
    const TSharedRef<FWriter> Writer = TJsonWriterFactory<TCHAR, TCondensedJsonPrintPolicy<TCHAR>>::Create(&Json);
    WriteItem(*Writer, Arguments);
    Writer->Close();
    return Json;
}
}

UNpcComponent::UNpcComponent()
{
    PrimaryComponentTick.bCanEverTick = false;
}

FNpcConversation* UNpcComponent::Open()
{
    const UGameInstance* Game = GetWorld() ? GetWorld()->GetGameInstance() : nullptr;
    const UNpcSubsystem* Subsystem = Game ? Game->GetSubsystem<UNpcSubsystem>() : nullptr;
    const TSharedPtr<npc::Client> Client = Subsystem ? Subsystem->GetClient() : nullptr;
    if (!Client.IsValid())
    {
        return nullptr;
    }
    if (!Conversation.IsValid() || Conversation->Client != Client || !Conversation->IsOf(NpcId, PlayerName))
    {
        if (Conversation.IsValid())
        {
            Conversation->Core.leave();
        }
        Conversation = MakeShared<FNpcConversation>(Client, NpcId, PlayerName);
        const FEar Ear{this, Play};
        Conversation->Core.on_greeting([Ear](const std::string& Text) {
            if (UNpcComponent* Self = Ear.Get()) Self->OnGreeting.Broadcast(ToUnreal(Text));
        });
    }
    return Conversation.Get();
}

void UNpcComponent::Ask(const FString& Text)
{
    FNpcConversation* Opened = Open();
    if (Opened == nullptr)
    {
        OnResponseFailed.Broadcast(TEXT("connection_lost"), TEXT("Connect of the NPC subsystem was not called"), true);
        return;
    }
    const FEar Ear{this, Play};
    npc::Listener Listener;
    Listener.on_text = [Ear](const std::string& Piece) {
        if (UNpcComponent* Self = Ear.Get()) Self->OnResponseUpdated.Broadcast(ToUnreal(Piece));
    };
    Listener.on_sentence = [Ear](std::int64_t, const std::string& Sentence) {
        if (UNpcComponent* Self = Ear.Get()) Self->OnSentenceFinished.Broadcast(ToUnreal(Sentence));
    };
    Listener.on_tool_call = [Ear](const npc::ToolCall& Call) {
        UNpcComponent* Self = Ear.Get();
        if (Self == nullptr || !Self->Conversation.IsValid()) return;
        if (!Self->OnToolCalled.IsBound())
        {
            UE_LOG(LogTemp, Warning, TEXT("NPC: nobody is bound to OnToolCalled: %s is refused"), *ToUnreal(Call.name));
            Self->Conversation->Client->refuse(Call, "the game does not know how");
            return;
        }
        Self->Conversation->Calls[Call.call_id] = Call;
        Self->OnToolCalled.Broadcast(ToUnreal(Call.call_id), ToUnreal(Call.name), ToJson(Call.arguments));
    };
    Listener.on_tool_settled = [Ear](const npc::ToolSettled& Settled) {
        UNpcComponent* Self = Ear.Get();
        if (Self && Self->Conversation.IsValid()) Self->Conversation->Calls.erase(Settled.call_id);
    };
    Listener.on_finished = [Ear](const npc::Finished& Finished) {
        if (UNpcComponent* Self = Ear.Get())
            Self->OnResponseFinished.Broadcast(ToUnreal(Finished.text), ToUnreal(Finished.finish_reason));
    };
    Listener.on_failed = [Ear](const npc::Failed& Failed) {
        UNpcComponent* Barking = Ear.Get();
        if (Barking && !Failed.bark.empty()) Barking->OnBark.Broadcast(ToUnreal(Failed.bark));
        // what hears the bark may destroy the component
        if (UNpcComponent* Self = Ear.Get())
            Self->OnResponseFailed.Broadcast(ToUnreal(Failed.error.code), ToUnreal(Failed.error.message),
                                             Failed.error.is_retryable);
    };
    Opened->Core.ask(ToCore(Text), MoveTemp(Listener));
}

void UNpcComponent::Cancel()
{
    if (Conversation.IsValid())
    {
        Conversation->Core.cancel();
    }
}

bool UNpcComponent::HandleToolCompletion(const FString& CallId, bool bSuccess, const FString& Outcome)
{
    if (!Conversation.IsValid())
    {
        return false;
    }
    const auto Found = Conversation->Calls.find(ToCore(CallId));
    if (Found == Conversation->Calls.end())
    {
        return false;
    }
    npc::Client& Client = *Conversation->Client;
    const bool bIsAnswered = bSuccess ? Client.accept(Found->second, ToCore(Outcome))
                                      : Client.refuse(Found->second, ToCore(Outcome));
    if (bIsAnswered)
    {
        Conversation->Calls.erase(Found);
    }
    return bIsAnswered;
}

void UNpcComponent::EndPlay(const EEndPlayReason::Type Reason)
{
    ++Play;
    if (Conversation.IsValid())
    {
        Conversation->Core.leave();
        Conversation.Reset();
    }
    Super::EndPlay(Reason);
}
