// HOST PORT TOKEN: plays what the engine does to the plugin, and prints a line for each step that passes.
// The plugin's files in one unit, as the engine builds them.
#include "NpcBridgeModule.cpp"
#include "NpcComponent.cpp"
#include "NpcSubsystem.cpp"

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "Runtime.hpp"
#include "Stage.hpp"

namespace StandIns
{
const std::string Cut = "failed connection_lost";

void Connects(FStage& Stage)
{
    Same("the connections", std::to_string(Stage.Ears->Casts.size()), "1");
    Same("the cast", Stage.Ears->Casts[0], "mara pip ");
    Stage.Subsystem->SetState(TEXT("weather"), TEXT("rain"));
}

void Streams(FStage& Stage)
{
    Stage.Talk();
    Same("the greetings", Stage.Ears->Greetings, "What do you want?|");
    Same("the sentences", Stage.Ears->Sentences, "Good day to you.|Come in.|");
    Need(Stage.Ears->Pieces > 1, "it came in pieces");
    Stage.Talk();
    Same("the greetings", Stage.Ears->Greetings, "What do you want?|");
}

// One call of give_item, and what the game says to it.
void Act(FStage& Stage, bool bSuccess, const std::string& Last)
{
    Stage.Ears->OnCall = [&](const FString& CallId) {
        Need(Stage.Npc->HandleToolCompletion(CallId, bSuccess, TEXT("so it is")), "the call is open");
        Need(!Stage.Npc->HandleToolCompletion(CallId, bSuccess, TEXT("again")), "it is answered once");
    };
    Stage.Npc->Ask(TEXT("Give me the sword."));
    Stage.UntilEnded();
    Stage.EndedOnce("finished stop ");
    Need(Stage.Ears->Ends.find(Last) != std::string::npos, "the NPC heard how it went");
    Same("the calls", Stage.Ears->Calls, "give_item {\"item\":\"sword\"}|");
}
void Accepts(FStage& Stage) { Act(Stage, true, "Here you are."); }
void Refuses(FStage& Stage) { Act(Stage, false, "Then not."); }

void IsBusy(FStage& Stage)
{
    Stage.Tell();
    Stage.Npc->Ask(TEXT("Hello."));
    Stage.UntilEnded();
    Stage.EndedOnce("failed bad_request");
    Stage.Ears->Clear();
    Stage.Npc->Cancel();
    Stage.UntilEnded();
    Stage.EndedOnce("finished cancelled ");
}

void Barks(FStage& Stage)
{
    Stage.Npc->Ask(TEXT("Faint."));
    Stage.UntilEnded();
    Stage.EndedOnce("bark Not now.|failed engine_crashed");
}

void BarksAndIsGone(FStage& Stage)
{
    Stage.Ears->OnBark = [&] { Stage.Destroy(); };
    Stage.Npc->Ask(TEXT("Faint."));
    Stage.UntilEnded();
    Stage.Frames();
    Same("the ends", Stage.Ears->Ends, "bark Not now.|");
}

void Cancels(FStage& Stage)
{
    Stage.Tell();
    Stage.Npc->Cancel();
    Stage.UntilEnded();
    Stage.EndedOnce("finished cancelled " + Stage.Ears->Said);
}

void CancelsEarly(FStage& Stage)
{
    Stage.Npc->Ask(TEXT("Tell me a story."));
    Stage.Npc->Cancel();
    Stage.UntilEnded();
    Stage.EndedOnce("finished cancelled ");
    Same("what was said", Stage.Ears->Said, "");
    Stage.Ears->Clear();
    Stage.Talk();
}

// The conversation is open, and what waited for it not said yet.
void CancelsAtTheGreeting(FStage& Stage)
{
    Stage.Ears->OnGreeting = [&] { Stage.Npc->Cancel(); };
    Stage.Npc->Ask(TEXT("Tell me a story."));
    Stage.UntilEnded();
    Stage.Frames();
    Stage.EndedOnce("finished cancelled ");
    Stage.Talk();
}

void IsDestroyedByTheGreeting(FStage& Stage)
{
    Stage.Ears->OnGreeting = [&] { Stage.Destroy(); };
    Stage.Npc->Ask(TEXT("Tell me a story."));
    Stage.Until("the greeting", [&] { return !Stage.Ears->Greetings.empty(); });
    Stage.UntilNoSession();
    Stage.Frames();
    Same("what was heard", Stage.Ears->Said + Stage.Ears->Ends, "");
}

// The level is streamed out and in again: the component lives on.
void EndsPlay(FStage& Stage)
{
    Stage.Tell();
    Stage.Npc->EndPlay(EEndPlayReason::RemovedFromWorld);
    Stage.Ears->Clear();
    Stage.UntilNoSession();
    Stage.Frames();
    Same("what was heard", Stage.Ears->Said + Stage.Ears->Ends, "");
    Stage.Npc->BeginPlay();
    Stage.Talk();
}

void EndsPlayEarly(FStage& Stage)
{
    Stage.Npc->Ask(TEXT("Tell me a story."));
    Stage.Npc->EndPlay(EEndPlayReason::RemovedFromWorld);
    Stage.UntilNoSession();
    Stage.Frames();
    Same("what was heard", Stage.Ears->Greetings + Stage.Ears->Said + Stage.Ears->Ends, "");
}

void IsDestroyedByAWord(FStage& Stage)
{
    Stage.Ears->OnPiece = [&] { Stage.Destroy(); };
    Stage.Npc->Ask(TEXT("Tell me a story."));
    Stage.Until("a word", [&] { return Stage.Ears->Pieces > 0; });
    Stage.UntilNoSession();
    Stage.Frames();
    Same("the pieces", std::to_string(Stage.Ears->Pieces), "1");
    Same("the ends", Stage.Ears->Ends, "");
}

void Disconnects(FStage& Stage)
{
    Stage.Tell();
    Stage.Subsystem->Disconnect();
    Stage.EndedOnce(Cut);
    Need(!Stage.Subsystem->IsConnected(), "it is not connected");
    Stage.Ears->Clear();
    Stage.Npc->Ask(TEXT("Hello."));
    Stage.EndedOnce(Cut);
    Stage.Connect();
    Stage.UntilConnected();
    Stage.Talk();
}

void DisconnectsInAWord(FStage& Stage)
{
    Stage.Ears->OnPiece = [&] { Stage.Subsystem->Disconnect(); };
    Stage.Npc->Ask(TEXT("Tell me a story."));
    Stage.UntilEnded();
    Stage.Frames();
    Stage.EndedOnce(Cut);
}

// The old connection tells its ends when there is a new one already.
void ConnectsInAWord(FStage& Stage)
{
    Stage.Ears->OnPiece = [&] {
        Stage.Ears->OnPiece = nullptr;
        Stage.Connect();
    };
    Stage.Npc->Ask(TEXT("Tell me a story."));
    Stage.UntilEnded();
    Stage.UntilConnected();
    Stage.EndedOnce(Cut);
    Stage.Talk();
}

void Quits(FStage& Stage)
{
    Stage.Tell();
    Stage.Subsystem->Deinitialize();
    Stage.EndedOnce(Cut);
    Stage.Npc->EndPlay(EEndPlayReason::Quit);
    Stage.Destroy();
    Stage.Frames();
    Stage.EndedOnce(Cut);
}

void IsNotConnected(FStage& Stage)
{
    Stage.Subsystem->Disconnect();
    Stage.Npc->Ask(TEXT("Hello."));
    Stage.EndedOnce(Cut);
    UNpcComponent Loose;
    Loose.OnResponseFailed.AddDynamic(Stage.Ears.get(), &UEars::Fail);
    Stage.Ears->Clear();
    Loose.Ask(TEXT("Hello."));
    Loose.Cancel();
    Loose.EndPlay(EEndPlayReason::Quit);
    Stage.EndedOnce(Cut);
}

// In the frame in which Connect was called, as a BeginPlay would.
void AsksEarly(FStage& Stage)
{
    Stage.Connect();
    Need(!Stage.Subsystem->IsConnected(), "it still dials");
    Stage.Talk();
}

// Another NPC, or another player, has a conversation of their own; the one before is over.
void TalksToAnother(FStage& Stage)
{
    Stage.Talk();
    Stage.Npc->NpcId = TEXT("pip");
    Stage.Npc->PlayerName = TEXT("Marian");
    Stage.Ears->Clear();
    Stage.Npc->Ask(TEXT("Now?"));
    Stage.UntilEnded();
    Stage.EndedOnce("finished stop Pip speaks.");
    Same("the conversations", Stage.Open(), "pip of Marian|");
}

void HasNoHands(FStage& Stage)
{
    Stage.Npc->OnToolCalled = FNpcToolCalled();
    Stage.Npc->Ask(TEXT("Give me the sword."));
    Stage.UntilEnded();
    Stage.EndedOnce("finished stop ");
    Need(Stage.Ears->Ends.find("Then not.") != std::string::npos, "the NPC heard of it");
    Same("the warnings", std::to_string(TakeWarnings()), "1");
    Stage.Subsystem->SetState(TEXT("no name"), TEXT("rain"));
    Stage.Until("the warning", [] { return Warnings() > 0; });
    TakeWarnings();
}

void ShowsAWrongToken(FStage& Stage)
{
    Stage.Subsystem->Connect(Stage.Host, Stage.Port, TEXT("wrong"));
    Stage.Until("the reason", [&] { return !Stage.Ears->Losses.empty(); });
    Need(Stage.Ears->Losses.find("auth") == 0, "the token is wrong");
}

void WritesJson(FStage&)
{
    const npc::Map Given = {{"empty", npc::Map()},
                            {"list", npc::Array{1, 2.5, true, npc::Value(), npc::Array()}},
                            {"quote", "\"\\ \xc3\xa9 \xf0\x9f\x97\xa1"},
                            {"of", npc::Map{{"one", -1}, {"two", npc::Array{npc::Map{{"x", "y"}}}}}}};
    Same("the JSON", ToCore(ToJson(Given)),
         "{\"empty\":{},\"list\":[1,2.5,true,null,[]],\"quote\":\"\\\"\\\\ \xc3\xa9 \xf0\x9f\x97\xa1\","
         "\"of\":{\"one\":-1,\"two\":[{\"x\":\"y\"}]}}");
}

void IsCut(FStage& Stage)
{
    bool bIsBack = false;
    Stage.Tell();
    Stage.Subsystem->GetClient()->on_resumed = [&] { bIsBack = true; };
    std::printf("CUT\n");
    std::fflush(stdout);
    Stage.Until("the connection again", [&] { return bIsBack; });
    const int Before = Stage.Ears->Pieces;
    Stage.Until("more words", [&] { return Stage.Ears->Pieces > Before + 5; });
    Stage.Npc->Cancel();
    Stage.UntilEnded();
    Stage.EndedOnce("finished cancelled " + Stage.Ears->Said);
    Same("the losses", Stage.Ears->Losses, "");
}

void IsRestarted(FStage& Stage)
{
    Stage.Tell();
    std::printf("RESTART\n");
    std::fflush(stdout);
    Stage.UntilEnded();
    Stage.EndedOnce(Cut);
    Stage.Until("another connection", [&] { return Stage.Ears->Casts.size() > 1; });
    Need(Stage.Ears->Losses.find("connection_lost") == 0, "the loss is told");
    Stage.Ears->Clear();
    Stage.Talk();
}
}

int main(int Count, char** Arguments)
{
    using namespace StandIns;
    const std::pair<const char*, void (*)(FStage&)> Steps[] = {
        {"connects", Connects}, {"streams", Streams}, {"accepts", Accepts}, {"refuses", Refuses},
        {"is_busy", IsBusy}, {"barks", Barks},
        {"barks_and_is_gone", BarksAndIsGone}, {"cancels", Cancels}, {"cancels_early", CancelsEarly},
        {"cancels_at_the_greeting", CancelsAtTheGreeting}, {"is_destroyed_by_the_greeting", IsDestroyedByTheGreeting},
        {"ends_play", EndsPlay}, {"ends_play_early", EndsPlayEarly},
        {"is_destroyed_by_a_word", IsDestroyedByAWord}, {"disconnects", Disconnects},
        {"disconnects_in_a_word", DisconnectsInAWord}, {"connects_in_a_word", ConnectsInAWord}, {"quits", Quits},
        {"is_not_connected", IsNotConnected}, {"asks_early", AsksEarly},
        {"talks_to_another", TalksToAnother}, {"has_no_hands", HasNoHands}, {"shows_a_wrong_token", ShowsAWrongToken},
        {"writes_json", WritesJson}, {"is_cut", IsCut}, {"is_restarted", IsRestarted}};
    if (Count != 4) return std::fprintf(stderr, "usage: HOST PORT TOKEN\n"), 2;
    Need(InitializeModuleNpcBridge() != nullptr, "the module is there");
    for (const auto& Step : Steps)
    {
        Doing(Step.first);
        {
            FStage Stage(Arguments[1], std::atoi(Arguments[2]), Arguments[3]);
            Step.second(Stage);
        }
        Same("what still ticks", std::to_string(FTSTicker::GetCoreTicker().Num()), "0");
        Same("the warnings", std::to_string(Warnings()), "0");
        std::printf("ok %s\n", Step.first);
        std::fflush(stdout);
    }
    std::printf("done\n");
    return 0;
}
