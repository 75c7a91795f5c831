using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading;
using NpcBridge;
using NpcBridge.Unity;
using UnityEngine;

namespace StandIns
{
    /// <summary>Why a step did not pass.</summary>
    internal sealed class StepFailed : Exception
    {
        internal StepFailed(string why) : base(why)
        {
        }
    }

    internal static class Check
    {
        internal static void Same(string what, object expected, object found)
        {
            if (!Equals(expected, found))
                throw new StepFailed(what + ": " + found + " and not " + expected);
        }

        internal static void True(string what, bool isSo)
        {
            if (!isSo)
                throw new StepFailed(what);
        }

        /// <summary>The client's own threads; those that end just now are waited for.</summary>
        internal static void NoThreads()
        {
            var own = typeof(NpcClient).Assembly.GetType("NpcBridge.OwnThread");
            var alive = own.GetProperty("Alive", BindingFlags.Static | BindingFlags.NonPublic);
            for (var waited = 0; (int)alive.GetValue(null) > 0 && waited < 6000; waited++)
                Thread.Sleep(10);
            Same("threads left", 0, alive.GetValue(null));
        }
    }

    /// <summary>Wired to all events of one NPC.</summary>
    internal sealed class Ears
    {
        internal readonly List<string> Greetings = new List<string>();
        internal readonly List<string> Pieces = new List<string>();
        internal readonly List<string> Sentences = new List<string>();
        internal readonly List<string> Barks = new List<string>();
        internal readonly List<string> Ends = new List<string>();
        internal readonly List<NpcToolCall> Calls = new List<NpcToolCall>();
        private bool _isMain = true;

        internal Ears(NpcBehaviour npc, bool hasHands)
        {
            npc.Greeted.Wire(text => Hear(Greetings, text));
            npc.ResponseUpdated.Wire(text => Hear(Pieces, text));
            npc.SentenceFinished.Wire(text => Hear(Sentences, text));
            npc.Barked.Wire(text => Hear(Barks, text));
            npc.ResponseFinished.Wire(text => Hear(Ends, "finished " + text));
            npc.ResponseFailed.Wire(text => Hear(Ends, "failed " + text));
            if (hasHands)
                npc.ToolCalled.Wire(Calls.Add);
        }

        internal string Said => string.Concat(Pieces);

        /// <summary>There is one end, it begins like this, and all came on the main thread.</summary>
        internal void EndedOnce(string beginning)
        {
            Check.Same("ends", 1, Ends.Count);
            Check.True("it ended as " + Ends[0], Ends[0].StartsWith(beginning, StringComparison.Ordinal));
            Check.True("an event came on another thread", _isMain);
        }

        private void Hear(List<string> heard, string text)
        {
            _isMain = _isMain && Player.IsMainThread;
            heard.Add(text);
        }
    }

    /// <summary>An NPC World and an NPC in a scene, as the inspector sets them.</summary>
    internal sealed class Scene
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(100);

        internal readonly Player Player = new Player();
        internal readonly GameObject Smith;
        internal readonly Ears Ears;
        internal int Connections;
        internal readonly List<string> Losses = new List<string>();

        internal NpcWorldBehaviour World { get; private set; }
        internal NpcBehaviour Npc { get; private set; }

        internal Scene(string host, int port, bool hasWorld, bool hasHands)
        {
            var hall = new GameObject("world");
            hall.SetActive(false);
            World = hall.AddComponent<NpcWorldBehaviour>();
            Player.Fill(World, "host", host);
            Player.Fill(World, "port", port);
            Player.Fill(World, "patienceS", 60f);  // the machine may be a slow one
            World.Connected.Wire(() => Connections++);
            World.Disconnected.Wire(Losses.Add);
            Smith = new GameObject("smith");
            Smith.SetActive(false);
            Npc = Smith.AddComponent<NpcBehaviour>();
            Player.Fill(Npc, "world", hasWorld ? World : null);
            Player.Fill(Npc, "npcId", "mara");
            Player.Fill(Npc, "player", "Robin");
            Ears = new Ears(Npc, hasHands);
            hall.SetActive(true);
            Smith.SetActive(true);
        }

        internal void Until(string what, Func<bool> isSo)
        {
            var end = DateTime.UtcNow + Patience;
            while (!isSo())
            {
                Check.True("not in time: " + what, DateTime.UtcNow < end);
                Player.Frame();
                Thread.Sleep(2);
            }
        }

        internal void UntilEnded() => Until("the end of the reply", () => Ears.Ends.Count > 0);

        /// <summary>Frames in which a second end would come, if there were one.</summary>
        internal void Frames()
        {
            for (var frame = 0; frame < 20; frame++)
            {
                Player.Frame();
                Thread.Sleep(2);
            }
        }

        /// <summary>The whole way from an Ask to its end.</summary>
        internal void Talk()
        {
            Ears.Ends.Clear();
            Ears.Pieces.Clear();
            Npc.Ask("Hello.");
            UntilEnded();
            Ears.EndedOnce("finished Good day to you. Come in.");
            Check.Same("the pieces", "Good day to you. Come in.", Ears.Said);
        }

        /// <summary>A long reply, of which some words are there.</summary>
        internal void Tell()
        {
            Npc.Ask("Tell me a story.");
            Until("words", () => Ears.Pieces.Count > 2);
        }

        /// <summary>Who talks to whom, as the server has it.</summary>
        internal string Open()
        {
            var asked = World.Client.SessionsAsync();
            Until("the sessions", () => asked.IsCompleted);
            return string.Join(", ", asked.Result.Select(one => one.NpcId + " of " + one.Player));
        }

        internal void Reload()
        {
            Player.ReloadDomain();
            World = Player.Renewed(World);
            Npc = Player.Renewed(Npc);
        }
    }

    /// <summary>HOST PORT TOKEN: prints a line for each step that passes.</summary>
    public static class Program
    {
        public static int Main(string[] arguments)
        {
            // the components find the token where npc serve leaves it
            Environment.SetEnvironmentVariable("NPC_SERVER_TOKEN", arguments[2]);
            foreach (var step in Steps.All)
            {
                var scene = new Scene(arguments[0], int.Parse(arguments[1]), step.Key != "no_world",
                    step.Key != "no_hands");
                try
                {
                    Player.TakeLog();
                    step.Value(scene);
                    scene.Player.Quit();
                    Check.NoThreads();
                    Check.Same("listeners of a reload", 0, UnityEditor.AssemblyReloadEvents.Count);
                    Check.Same("exceptions", 0, Player.TakeLog().Count(line => line.StartsWith("exception")));
                    Console.WriteLine("ok " + step.Key);
                }
                catch (Exception problem)
                {
                    Console.WriteLine("failed " + step.Key + ": " + problem.Message.Replace("\n", " "));
                    return 1;
                }
            }
            Console.WriteLine("done");
            return 0;
        }
    }
}
