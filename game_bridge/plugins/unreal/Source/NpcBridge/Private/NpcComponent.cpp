#include "NpcComponent.h"

#include "Engine/GameInstance.h"
#include "Engine/World.h"
#include "NpcCore.h"
#include "NpcSubsystem.h"
#include "Serialization/JsonWriter.h"

// The conversation with the client that it needs, and the calls that the game has not answered.
struct FNpcConversation
{
    FNpcConversation(const TSharedPtr<npc::Client>& InClient, const FString& NpcId, const FString& Player)
        : Client(InClient), Core(*InClient, ToCore(NpcId), ToCore(Player))
    {
    }

    TSharedPtr<npc::Client> Client;
    npc::Conversation Core;
    TMap<FString, npc::ToolCall> Calls;
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
    if (!Conversation.IsValid() || Conversation->Client != Client)
    {
        Conversation = MakeShared<FNpcConversation>(Client, NpcId, PlayerName);
        const TWeakObjectPtr<UNpcComponent> Weak(this);
        Conversation->Core.on_greeting([Weak](const std::string& Text) {
            if (UNpcComponent* Self = Weak.Get()) Self->OnGreeting.Broadcast(ToUnreal(Text));
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
    const TWeakObjectPtr<UNpcComponent> Weak(this);
    npc::Listener Listener;
    Listener.on_text = [Weak](const std::string& Piece) {
        if (UNpcComponent* Self = Weak.Get()) Self->OnResponseUpdated.Broadcast(ToUnreal(Piece));
    };
    Listener.on_sentence = [Weak](std::int64_t, const std::string& Sentence) {
        if (UNpcComponent* Self = Weak.Get()) Self->OnSentenceFinished.Broadcast(ToUnreal(Sentence));
    };
    Listener.on_tool_call = [Weak](const npc::ToolCall& Call) {
        UNpcComponent* Self = Weak.Get();
        if (Self == nullptr || !Self->Conversation.IsValid()) return;
        Self->Conversation->Calls.Add(ToUnreal(Call.call_id), Call);
        Self->OnToolCalled.Broadcast(ToUnreal(Call.call_id), ToUnreal(Call.name), ToJson(Call.arguments));
    };
    Listener.on_tool_settled = [Weak](const npc::ToolSettled& Settled) {
        UNpcComponent* Self = Weak.Get();
        if (Self && Self->Conversation.IsValid()) Self->Conversation->Calls.Remove(ToUnreal(Settled.call_id));
    };
    Listener.on_finished = [Weak](const npc::Finished& Finished) {
        if (UNpcComponent* Self = Weak.Get())
            Self->OnResponseFinished.Broadcast(ToUnreal(Finished.text), ToUnreal(Finished.finish_reason));
    };
    Listener.on_failed = [Weak](const npc::Failed& Failed) {
        UNpcComponent* Barking = Weak.Get();
        if (Barking && !Failed.bark.empty()) Barking->OnBark.Broadcast(ToUnreal(Failed.bark));
        // what hears the bark may destroy the component
        if (UNpcComponent* Self = Weak.Get())
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
    npc::ToolCall Call;
    if (!Conversation.IsValid() || !Conversation->Calls.RemoveAndCopyValue(CallId, Call))
    {
        return false;
    }
    npc::Client& Client = *Conversation->Client;
    return bSuccess ? Client.accept(Call, ToCore(Outcome)) : Client.refuse(Call, ToCore(Outcome));
}

void UNpcComponent::EndPlay(const EEndPlayReason::Type Reason)
{
    if (Conversation.IsValid())
    {
        Conversation->Core.leave();
        Conversation.Reset();
    }
    Super::EndPlay(Reason);
}
