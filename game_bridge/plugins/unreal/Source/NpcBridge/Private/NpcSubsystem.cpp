#include "NpcSubsystem.h"

#include "HAL/PlatformMisc.h"
#include "NpcCore.h"

void UNpcSubsystem::Connect(const FString& Host, int32 Port, const FString& Token)
{
    Disconnect();
    const FString Shown = Token.IsEmpty() ? FPlatformMisc::GetEnvironmentVariable(TEXT("NPC_SERVER_TOKEN")) : Token;
    npc::ClientOptions Options;
    Options.host = ToCore(Host);
    Options.port = static_cast<std::uint16_t>(Port);
    Options.token = ToCore(Shown);
    Options.name = "npc-sdk unreal";
    Options.timeout_s = Patience;
    Client = MakeShared<npc::Client>(Options);

    const TWeakObjectPtr<UNpcSubsystem> Weak(this);
    Client->on_connected = [Weak](const npc::Welcome& Welcome) {
        TArray<FString> Ids;
        for (const npc::NpcEntry& Npc : Welcome.npcs)
        {
            Ids.Add(ToUnreal(Npc.npc_id));
        }
        if (UNpcSubsystem* Self = Weak.Get())
        {
            Self->OnConnected.Broadcast(Ids);
        }
    };
    Client->on_lost = [Weak](const npc::Error& Error) {
        if (UNpcSubsystem* Self = Weak.Get())
        {
            Self->OnLost.Broadcast(ToUnreal(Error.code), ToUnreal(Error.message));
        }
    };
    Client->on_warning = [](const npc::Error& Error) {
        UE_LOG(LogTemp, Warning, TEXT("NPC server: %s"), *ToUnreal(Error.message));
    };
    Client->connect();
    Ticking = FTSTicker::GetCoreTicker().AddTicker(FTickerDelegate::CreateUObject(this, &UNpcSubsystem::Poll));
}

void UNpcSubsystem::Disconnect()
{
    FTSTicker::GetCoreTicker().RemoveTicker(Ticking);
    Ticking.Reset();
    // A callback may have called this: the local pointer keeps the client until its replies have ended.
    const TSharedPtr<npc::Client> Old = MoveTemp(Client);
    Client.Reset();
    if (Old.IsValid())
    {
        Old->close();
    }
}

bool UNpcSubsystem::IsConnected() const
{
    return Client.IsValid() && Client->is_connected();
}

void UNpcSubsystem::SetState(const FString& Name, const FString& Value, const FString& NpcId)
{
    if (Client.IsValid())
    {
        Client->set_state({{ToCore(Name), ToCore(Value)}}, ToCore(NpcId));
    }
}

void UNpcSubsystem::Deinitialize()
{
    Disconnect();
    Super::Deinitialize();
}

bool UNpcSubsystem::Poll(float)
{
    const TSharedPtr<npc::Client> Current = Client;
    if (Current.IsValid())
    {
        Current->poll();
    }
    return true;
}
