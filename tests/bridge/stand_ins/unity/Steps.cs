using System;
using System.Collections.Generic;
using System.Linq;
using NpcBridge;
using NpcBridge.Unity;
using UnityEngine;

namespace StandIns
{
    /// <summary>What a game and the editor do to the components; after each step the application quits.</summary>
    internal static class Steps
    {
        internal static readonly Dictionary<string, Action<Scene>> All = new Dictionary<string, Action<Scene>>
        {
            { "streams", Streams }, { "busy", Busy }, { "acts", Acts }, { "sees", Sees }, { "barks", Barks },
            { "bad_start", BadStart }, { "no_world", NoWorld }, { "cancelled", Cancelled },
            { "cancelled_early", CancelledEarly }, { "npc_disabled", NpcDisabled },
            { "npc_disabled_early", NpcDisabledEarly }, { "npc_destroyed", NpcDestroyed },
            { "world_disabled", WorldDisabled }, { "world_disabled_early", WorldDisabledEarly },
            { "world_disabled_by_a_word", WorldDisabledByAWord }, { "world_destroyed", WorldDestroyed },
            { "reload", Reload }, { "reload_early", ReloadEarly }, { "quit", Quit }, { "quit_early", QuitEarly },
            { "quit_at_once", QuitAtOnce }, { "no_hands", NoHands }, { "another_npc", AnotherNpc },
            { "npc_gone", NpcGone }, { "cut", Cut }, { "restart", Restart },
        };

        private static void Streams(Scene scene)
        {
            scene.Npc.Approach();
            scene.Talk();
            Check.Same("greetings", "What do you want?", string.Join("|", scene.Ears.Greetings));
            Check.True("one piece only", scene.Ears.Pieces.Count > 1);
            Check.Same("sentences", "Good day to you.|Come in.", string.Join("|", scene.Ears.Sentences));
            Check.Same("connections", 1, scene.Connections);
            Check.True("still busy", !scene.Npc.IsBusy);
            scene.Talk();
            Check.Same("greetings", 1, scene.Ears.Greetings.Count);
        }

        private static void Busy(Scene scene)
        {
            scene.Npc.Ask("Hello.");
            scene.Npc.Ask("Hello!");
            scene.UntilEnded();
            scene.Frames();
            scene.Ears.EndedOnce("finished Good day");
            Check.True("nothing in the log", Player.TakeLog().Any(line => line.Contains("is still speaking")));
        }

        private static void Acts(Scene scene)
        {
            var settled = new List<string>();
            scene.Npc.ReplyStarted += reply => reply.ToolSettled += call => settled.Add(call.Name + " " + call.Status);
            scene.Npc.ToolCalled.AddListener(call => call.Accept());
            scene.Npc.Ask("Give me the sword.");
            scene.UntilEnded();
            scene.Ears.EndedOnce("finished ");
            Check.True("the end is " + scene.Ears.Ends[0], scene.Ears.Ends[0].EndsWith("Here you are."));
            Check.Same("calls", "sword", string.Join("|", scene.Ears.Calls.Select(call => call.Arguments["item"])));
            Check.Same("settled", "give_item accepted", string.Join("|", settled));
        }

        /// <summary>The server of the script has no eyes: the picture arrives there, and is refused.</summary>
        private static void Sees(Scene scene)
        {
            var camera = new GameObject("camera").AddComponent<Camera>();
            var shown = new RenderTexture();
            camera.targetTexture = null;
            RenderTexture.active = shown;
            scene.Npc.AskAboutView("What is this?", camera);
            scene.UntilEnded();
            scene.Ears.EndedOnce("failed unsupported");
            var raw = CameraShot.Take(camera, true, 64);
            // big-endian width, height and stride, and then the top row, which the camera painted last
            Check.Same("the head", "0,0,0,64,0,0,0,36,0,0,0,192", string.Join(",", raw.Data.Take(12)));
            Check.Same("the size", 12 + 64 * 36 * 3, raw.Data.Length);
            Check.Same("the first row", 35, (int)raw.Data[12]);
            Check.Same("the last row", 0, (int)raw.Data[raw.Data.Length - 1]);
            Check.Same("the type", "image/png", CameraShot.Take(camera, false).MediaType);
            Check.True("the camera draws elsewhere now", camera.targetTexture == null);
            Check.True("another texture is active", ReferenceEquals(RenderTexture.active, shown));
            scene.Frames();
            Check.Same("textures left", 0, Player.Textures);
        }

        /// <summary>A handler's mistake is logged and costs nothing else.</summary>
        private static void Barks(Scene scene)
        {
            scene.Npc.Barked.AddListener(text => throw new InvalidOperationException("the game's own mistake"));
            scene.Npc.Ask("Faint.");
            scene.UntilEnded();
            scene.Ears.EndedOnce("failed engine_crashed");
            Check.Same("barks", "Not now.", string.Join("|", scene.Ears.Barks));
            Check.True("nothing in the log", Player.TakeLog().Any(line => line.Contains("the game's own mistake")));
            scene.Npc.Barked.RemoveAllListeners();
            scene.Talk();
        }

        private static void BadStart(Scene scene)
        {
            Action<NpcReply> isWrong = reply => throw new InvalidOperationException("the game's own mistake");
            scene.Npc.ReplyStarted += isWrong;
            scene.Npc.Ask("Hello.");
            scene.UntilEnded();
            scene.Ears.EndedOnce("failed System.InvalidOperationException: the game's own mistake");
            scene.Npc.ReplyStarted -= isWrong;
            scene.Talk();
        }

        private static void NoWorld(Scene scene)
        {
            scene.Npc.Approach();
            scene.Npc.Ask("Hello.");
            scene.UntilEnded();
            scene.Ears.EndedOnce("failed connection_lost");
            Check.True("still busy", !scene.Npc.IsBusy);
        }

        private static void Cancelled(Scene scene)
        {
            scene.Tell();
            scene.Npc.Cancel();
            scene.UntilEnded();
            scene.Frames();
            scene.Ears.EndedOnce("finished Word1 ");
            Check.Same("the text", "finished " + scene.Ears.Said, scene.Ears.Ends[0]);
            scene.Talk();
        }

        /// <summary>Before there is a conversation: nothing is said at all.</summary>
        private static void CancelledEarly(Scene scene)
        {
            scene.Npc.Ask("Tell me a story.");
            scene.Npc.Cancel();
            scene.UntilEnded();
            scene.Frames();
            scene.Ears.EndedOnce("finished ");
            Check.Same("pieces", 0, scene.Ears.Pieces.Count);
            scene.Talk();
        }

        private static void NpcDisabled(Scene scene)
        {
            scene.Tell();
            scene.Npc.enabled = false;
            scene.UntilEnded();
            scene.Frames();
            scene.Ears.EndedOnce("finished Word1 ");
            scene.Npc.enabled = true;
            scene.Talk();
        }

        private static void NpcDisabledEarly(Scene scene)
        {
            scene.Npc.Ask("Tell me a story.");
            scene.Smith.SetActive(false);
            scene.UntilEnded();
            scene.Frames();
            scene.Ears.EndedOnce("finished ");
            scene.Smith.SetActive(true);
            scene.Talk();
        }

        private static void NpcDestroyed(Scene scene)
        {
            scene.Tell();
            UnityEngine.Object.Destroy(scene.Smith);
            scene.UntilEnded();
            scene.Frames();
            scene.Ears.EndedOnce("finished Word1 ");
            Check.True("it is still there", scene.Npc == null);
        }

        private static void WorldDisabled(Scene scene)
        {
            scene.Tell();
            scene.World.enabled = false;
            scene.Ears.EndedOnce("failed connection_lost");
            Check.NoThreads();
            scene.Frames();
            Check.Same("losses that nobody asked for", 0, scene.Losses.Count);
            Check.True("there is a client", scene.World.Client == null);
            scene.World.enabled = true;
            scene.Talk();
            Check.Same("greetings", 2, scene.Ears.Greetings.Count);
        }

        private static void WorldDisabledEarly(Scene scene)
        {
            scene.Npc.Ask("Hello.");
            scene.World.enabled = false;
            scene.Ears.EndedOnce("failed connection_lost");
            scene.Frames();
            scene.Ears.EndedOnce("failed connection_lost");
            scene.World.enabled = true;
            scene.Talk();
        }

        private static void WorldDisabledByAWord(Scene scene)
        {
            scene.Npc.ResponseUpdated.AddListener(text => scene.World.enabled = false);
            scene.Npc.Ask("Tell me a story.");
            scene.UntilEnded();
            scene.Frames();
            scene.Ears.EndedOnce("failed connection_lost");
        }

        private static void WorldDestroyed(Scene scene)
        {
            scene.Tell();
            UnityEngine.Object.Destroy(scene.World.gameObject);
            scene.Player.Frame();
            scene.Ears.EndedOnce("failed connection_lost");
            scene.Ears.Ends.Clear();
            scene.Npc.Approach();
            scene.Npc.Ask("Hello.");
            scene.UntilEnded();
            scene.Ears.EndedOnce("failed connection_lost");
        }

        private static void Reload(Scene scene)
        {
            scene.Tell();
            scene.Reload();
            scene.Ears.EndedOnce("failed connection_lost");
            scene.Talk();
        }

        /// <summary>The Ask still waits for its conversation; what awaits that never goes on after a reload.</summary>
        private static void ReloadEarly(Scene scene)
        {
            scene.Npc.Ask("Hello.");
            scene.Reload();
            scene.Ears.EndedOnce("failed connection_lost");
            Check.True("still busy", !scene.Npc.IsBusy);
            scene.Talk();
        }

        private static void Quit(Scene scene)
        {
            scene.Tell();
            scene.Player.Quit();
            scene.Ears.EndedOnce("failed connection_lost");
        }

        private static void QuitEarly(Scene scene)
        {
            scene.Talk();
            scene.World.enabled = false;
            scene.World.enabled = true;
            scene.Ears.Ends.Clear();
            scene.Npc.Ask("Hello.");
            scene.Player.Quit();
            scene.Ears.EndedOnce("failed connection_lost");
        }

        private static void QuitAtOnce(Scene scene)
        {
            Check.Same("frames", 0f, Time.unscaledTime);
        }

        /// <summary>Nobody listens to the calls: they are refused at once.</summary>
        private static void NoHands(Scene scene)
        {
            var settled = "";
            Action<NpcReply> hears = reply => reply.ToolSettled += call => settled += call.Status + " ";
            UnityEngine.Events.UnityAction<NpcToolCall> accepts = call => call.Accept();
            Check.True("somebody listens", !scene.Npc.ToolCalled.HasListeners);
            scene.Npc.Ask("Give me the sword.");
            scene.UntilEnded();
            Check.True("the end is " + scene.Ears.Ends[0], scene.Ears.Ends[0].EndsWith("Then not."));
            Check.True("nothing in the log", Player.TakeLog().Any(line => line.Contains("nobody listens")));
            scene.Npc.ReplyStarted += hears;
            scene.Npc.ToolCalled.AddListener(accepts);
            scene.Ears.Ends.Clear();
            scene.Npc.Ask("Give me the sword.");
            scene.UntilEnded();
            scene.Npc.ToolCalled.RemoveListener(accepts);
            Check.Same("settled", "accepted ", settled);
            Check.True("somebody listens still", !scene.Npc.ToolCalled.HasListeners);
        }

        /// <summary>Another NPC, or another player, has a conversation of their own; the one before is over.</summary>
        private static void AnotherNpc(Scene scene)
        {
            scene.Talk();
            scene.Npc.NpcId = "pip";
            scene.Ears.Ends.Clear();
            scene.Npc.Ask("Now?");
            scene.UntilEnded();
            scene.Ears.EndedOnce("finished Pip speaks.");
            Check.Same("open", "pip of Robin", scene.Open());
            scene.Npc.Player = "Marian";
            scene.Ears.Ends.Clear();
            scene.Npc.Ask("Now?");
            scene.UntilEnded();
            Check.Same("open", "pip of Marian", scene.Open());
        }

        /// <summary>An NPC that is destroyed leaves no conversation behind, also none that comes late.</summary>
        private static void NpcGone(Scene scene)
        {
            scene.Talk();
            scene.Npc.NpcId = "pip";
            scene.Npc.Ask("Now?");
            UnityEngine.Object.Destroy(scene.Smith);
            scene.Player.Frame();
            scene.Until("no conversation", () => scene.Open().Length == 0);
        }

        /// <summary>The connection breaks and is made anew: the reply notices nothing.</summary>
        private static void Cut(Scene scene)
        {
            var isBack = false;
            scene.Tell();
            scene.World.Client.Resumed += () => isBack = true;
            Console.WriteLine("CUT");
            scene.Until("the connection again", () => isBack);
            var before = scene.Ears.Pieces.Count;
            scene.Until("more words", () => scene.Ears.Pieces.Count > before + 5);
            scene.Npc.Cancel();
            scene.UntilEnded();
            scene.Frames();
            scene.Ears.EndedOnce("finished Word1 ");
            Check.Same("the text", "finished " + scene.Ears.Said, scene.Ears.Ends[0]);
            var words = scene.Ears.Said.Split(' ').Where(word => word.Length > 0).ToArray();
            Check.True("a word is missing", words.Select((word, i) => word == "Word" + (i + 1)).Take(words.Length - 1)
                .All(isNext => isNext));
            Check.Same("connections", 1, scene.Connections);
            Check.Same("losses", 0, scene.Losses.Count);
        }

        private static void Restart(Scene scene)
        {
            scene.Tell();
            Console.WriteLine("RESTART");
            scene.UntilEnded();
            scene.Ears.EndedOnce("failed connection_lost");
            scene.Until("a connection", () => scene.Connections > 1);
            Check.Same("losses", 1, scene.Losses.Count);
            scene.Talk();
        }
    }
}
