// A game with one NPC, its frames, and what it hears.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "Engine/GameInstance.h"
#include "Engine/World.h"
#include "NpcComponent.h"
#include "NpcSubsystem.h"
#include "Runtime.hpp"

namespace StandIns
{
// Bound to all events, as a Blueprint would be.
class UEars : public UObject
{
public:
    void Greet(const FString& Text)
    {
        Greetings += ToCore(Text) + "|";
        if (OnGreeting) OnGreeting();
    }
    void Add(const FString& Text)
    {
        Said += ToCore(Text);
        ++Pieces;
        if (const auto Hook = OnPiece) Hook();
    }
    void Sentence(const FString& Text) { Sentences += ToCore(Text) + "|"; }
    void Finish(const FString& Text, const FString& Reason) { End("finished " + ToCore(Reason) + " " + ToCore(Text)); }
    void Fail(const FString& Code, const FString& Message, bool)
    {
        End("failed " + ToCore(Code) + " " + ToCore(Message));
    }
    void Bark(const FString& Text)
    {
        Ends += "bark " + ToCore(Text) + "|";
        if (OnBark) OnBark();
    }
    void Call(const FString& CallId, const FString& Name, const FString& ArgumentsJson)
    {
        Calls += ToCore(Name) + " " + ToCore(ArgumentsJson) + "|";
        if (OnCall) OnCall(CallId);
    }
    void Connected(const TArray<FString>& NpcIds)
    {
        std::string Cast;
        for (const FString& Id : NpcIds) Cast += ToCore(Id) + " ";
        Casts.push_back(Cast);
    }
    void Lost(const FString& Code, const FString& Message) { Losses += ToCore(Code) + " " + ToCore(Message) + "|"; }

    void Clear()
    {
        Said.clear();
        Ends.clear();
        Pieces = EndCount = 0;
    }

    std::string Greetings, Said, Sentences, Ends, Calls, Losses;
    std::vector<std::string> Casts;
    int Pieces = 0, EndCount = 0;
    std::function<void()> OnGreeting, OnPiece, OnBark;
    std::function<void(const FString&)> OnCall;

private:
    void End(const std::string& Told)
    {
        Ends += Told + "|";
        ++EndCount;
    }
};

class FStage
{
public:
    FStage(const char* InHost, int32 InPort, const char* InToken)
        : Host(UTF8_TO_TCHAR(InHost)), Token(UTF8_TO_TCHAR(InToken)), Port(InPort)
    {
        Subsystem = new UNpcSubsystem();
        Game.Subsystem.reset(Subsystem);
        World.Game = &Game;
        Npc->World = &World;
        Npc->NpcId = TEXT("mara");
        Npc->PlayerName = TEXT("Robin");
        Subsystem->OnConnected.AddDynamic(Ears.get(), &UEars::Connected);
        Subsystem->OnLost.AddDynamic(Ears.get(), &UEars::Lost);
        Npc->OnGreeting.AddDynamic(Ears.get(), &UEars::Greet);
        Npc->OnResponseUpdated.AddDynamic(Ears.get(), &UEars::Add);
        Npc->OnSentenceFinished.AddDynamic(Ears.get(), &UEars::Sentence);
        Npc->OnResponseFinished.AddDynamic(Ears.get(), &UEars::Finish);
        Npc->OnResponseFailed.AddDynamic(Ears.get(), &UEars::Fail);
        Npc->OnBark.AddDynamic(Ears.get(), &UEars::Bark);
        Npc->OnToolCalled.AddDynamic(Ears.get(), &UEars::Call);
        Npc->BeginPlay();
        Connect();
        UntilConnected();
    }

    // The order at a quit: the world's components, then the subsystems of the game.
    ~FStage()
    {
        Ears->OnGreeting = Ears->OnPiece = Ears->OnBark = nullptr;
        if (Npc) Npc->EndPlay(EEndPlayReason::Quit);
        Subsystem->Deinitialize();
        FTSTicker::GetCoreTicker().Tick(0.0f);
    }

    void Connect()
    {
        Subsystem->Patience = 60.0f;  // the machine may be a slow one
        Subsystem->Connect(Host, Port, Token);
    }

    void Until(const char* What, const std::function<bool()>& IsSo)
    {
        const auto End = std::chrono::steady_clock::now() + std::chrono::seconds(100);
        while (!IsSo())
        {
            if (std::chrono::steady_clock::now() > End) StandIns::Fail(std::string("not in time: ") + What);
            Frame();
        }
    }
    void UntilConnected()
    {
        Until("a connection", [this] { return Subsystem->IsConnected(); });
    }
    void UntilEnded()
    {
        Until("the end of the reply", [this] { return !Ears->Ends.empty(); });
    }
    // Until the server says that no conversation is open.
    void UntilNoSession()
    {
        std::size_t Open = 1;
        bool bIsAsked = false;
        Until("the end of the conversation", [&] {
            if (Open > 0 && !bIsAsked)
            {
                bIsAsked = true;
                Subsystem->GetClient()->sessions([&](const npc::Outcome<std::vector<npc::SessionEntry>>& Answer) {
                    Open = Answer ? Answer.answer.size() : 1;
                    bIsAsked = false;
                });
            }
            return Open == 0;
        });
    }
    // Who talks to whom, as the server has it.
    std::string Open()
    {
        std::string Told;
        bool bIsTold = false;
        Subsystem->GetClient()->sessions([&](const npc::Outcome<std::vector<npc::SessionEntry>>& Answer) {
            for (const npc::SessionEntry& One : Answer.answer) Told += One.npc_id + " of " + One.player + "|";
            bIsTold = true;
        });
        Until("the conversations", [&] { return bIsTold; });
        return Told;
    }
    // In which a second end would come, if there were one.
    void Frames()
    {
        for (int Count = 0; Count < 20; ++Count) Frame();
    }

    void EndedOnce(const std::string& Beginning)
    {
        Same("the ends of '" + Ears->Ends + "'", Ears->EndCount, 1);
        StandIns::Same("the end", Ears->Ends.substr(0, Beginning.size()), Beginning);
    }

    // The whole way from an Ask to its end.
    void Talk()
    {
        Ears->Clear();
        Npc->Ask(TEXT("Hello."));
        UntilEnded();
        EndedOnce("finished stop Good day to you. Come in.");
        StandIns::Same("the pieces", Ears->Said, "Good day to you. Come in.");
    }

    // A long reply, of which some words are there.
    void Tell()
    {
        Npc->Ask(TEXT("Tell me a story."));
        Until("words", [this] { return Ears->Pieces > 2; });
    }

    // EndPlay, garbage, and the collector comes with the next frame.
    void Destroy()
    {
        Npc->EndPlay(EEndPlayReason::Destroyed);
        Npc->MarkAsGarbage();
        Garbage = std::move(Npc);
    }

    FString Host, Token;
    int32 Port;
    UGameInstance Game;
    UWorld World;
    UNpcSubsystem* Subsystem;
    std::unique_ptr<UEars> Ears = std::make_unique<UEars>();
    std::unique_ptr<UNpcComponent> Npc = std::make_unique<UNpcComponent>();

private:
    void Frame()
    {
        FTSTicker::GetCoreTicker().Tick(0.002f);
        Garbage.reset();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    static void Same(const std::string& What, int Found, int Expected)
    {
        StandIns::Same(What.c_str(), std::to_string(Found), std::to_string(Expected));
    }

    std::unique_ptr<UNpcComponent> Garbage;
};
}
