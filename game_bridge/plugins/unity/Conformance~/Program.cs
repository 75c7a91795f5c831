using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace NpcBridge.Conformance
{
    /// <summary>HOST PORT TOKEN runs the conformance script; Main names the other modes.</summary>
    public static class Program
    {
        public static int Main(string[] arguments)
        {
            if (arguments.Length == 2 && arguments[0] == "vectors")
                return Vectors.Run(arguments[1]);
            if (arguments.Length == 3 && (arguments[0] == "hostile" || arguments[0] == "fragile"))
                return Hostile.Run(arguments[1], int.Parse(arguments[2]), arguments[0] == "hostile");
            if (arguments.Length == 3 && (arguments[0] == "stalled" || arguments[0] == "regretful"))
                return Patience.Run(arguments[1], int.Parse(arguments[2]), arguments[0] == "stalled");
            if (arguments.Length == 4 && arguments[0] == "habits")
                return new Habits(arguments[1], int.Parse(arguments[2]), arguments[3]).Run().GetAwaiter().GetResult();
            if (arguments.Length == 3)
                return new Script(arguments[0], int.Parse(arguments[1]), arguments[2]).Run().GetAwaiter().GetResult();
            Console.Error.WriteLine(
                "usage: HOST PORT TOKEN | habits HOST PORT TOKEN | vectors FOLDER"
                + " | hostile, fragile, stalled or regretful HOST PORT");
            return 2;
        }
    }

    /// <summary>Why a step did not pass.</summary>
    internal sealed class StepFailed : Exception
    {
        internal StepFailed(string why) : base(why)
        {
        }
    }

    /// <summary>Everything that one reply told, and its end.</summary>
    internal sealed class Heard
    {
        internal readonly List<string> Pieces = new List<string>();
        internal readonly List<string> Sentences = new List<string>();
        internal readonly List<NpcToolCall> Calls = new List<NpcToolCall>();
        internal readonly List<string> Settled = new List<string>();
        internal readonly List<NpcReplyEnd> Ends = new List<NpcReplyEnd>();
        private readonly TaskCompletionSource<bool> _began = new TaskCompletionSource<bool>();

        internal NpcReply Reply { get; private set; }

        /// <summary>Listens to more than the rest does.</summary>
        internal Action<NpcReply> Prepare { get; set; }

        internal Task Began => _began.Task;

        internal Heard Listen(NpcSession session, string text, Action<NpcToolCall> onCall = null,
            SayOptions options = null)
        {
            Reply = session.Say(text, reply =>
            {
                reply.TextReceived += piece =>
                {
                    Pieces.Add(piece);
                    _began.TrySetResult(true);
                };
                reply.SentenceReceived += (index, sentence) => Sentences.Add(sentence);
                reply.ToolSettled += result => Settled.Add(result.Name + " " + result.Status);
                reply.ToolCalled += call =>
                {
                    Calls.Add(call);
                    onCall?.Invoke(call);
                };
                reply.Ended += Ends.Add;
                Prepare?.Invoke(reply);
            }, options);
            return this;
        }
    }

    /// <summary>What steps look at.</summary>
    internal static class Check
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

        internal static async Task<NpcReplyEnd> End(Heard heard)
        {
            await Within(heard.Reply.Completion);
            Same("ends", 1, heard.Ends.Count);
            return heard.Ends[0];
        }

        internal static async Task Within(Task task)
        {
            if (await Task.WhenAny(task, Task.Delay(Patience)) != task)
                throw new StepFailed("nothing came within " + Patience.TotalSeconds + " s");
            await task;
        }

        internal static async Task<string> CodeOf(Task task)
        {
            try
            {
                await task;
                return "";
            }
            catch (NpcException error)
            {
                Console.Error.WriteLine(error);
                return error.Code;
            }
        }

        internal static void Same(string what, object expected, object got)
        {
            if (!Equals(expected, got))
                throw new StepFailed(what + " is " + (got ?? "nothing") + ", not " + expected);
        }

        /// <summary>All but so many threads end, though not in the moment of the call on a busy machine.</summary>
        internal static async Task Threads(int left)
        {
            for (var waited = 0; OwnThread.Alive > left && waited < 1000; waited++)
                await Task.Delay(10);
            Same("threads left", left, OwnThread.Alive);
        }

        internal static void True(string complaint, bool isGood)
        {
            if (!isGood)
                throw new StepFailed(complaint);
        }
    }

    /// <summary>The steps of the conformance script, in order.</summary>
    internal sealed partial class Script
    {
        private const string Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAA"
            + "DUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        private readonly string _host;
        private readonly int _port;
        private readonly string _token;
        private readonly Dispatcher _dispatcher = new Dispatcher();
        private readonly Thread _game;
        private volatile bool _isOver;
        private NpcClient _client;
        private NpcSession _mara;
        private NpcSession _pip;
        private int _losses;
        private int _interruptions;
        private int _resumptions;

        internal Script(string host, int port, string token)
        {
            _host = host;
            _port = port;
            _token = token;
            _game = new Thread(() =>
            {
                while (!_isOver)
                {
                    _dispatcher.Pump();
                    Thread.Sleep(2);
                }
            });
        }

        internal async Task<int> Run()
        {
            _game.Start();
            var code = 0;
            var steps = new List<KeyValuePair<string, Func<Task>>>();
            Action<string, Func<Task>> add = (name, step) =>
                steps.Add(new KeyValuePair<string, Func<Task>>(name, step));
            add("connect", Connect);
            add("wrong_token", WrongToken);
            add("talk", Talk);
            add("stream", Stream);
            add("tool_accepted", () => Tool("sword", call => call.Accept(), "accepted", "Here you are."));
            add("tool_refused", () => Tool("sword", call => call.Refuse("it is not yours"), "refused", "Then not."));
            add("tool_timeout", () => Tool("lamp", null, "timeout", "Well then."));
            add("screenshot", Screenshot);
            add("cancel", Cancel);
            add("unknown_npc", UnknownNpc);
            add("state", () => _client.SetStateAsync(new Dictionary<string, object> { { "weather", "rain" } }));
            add("learn", Learn);
            add("two_at_once", TwoAtOnce);
            add("sessions", Sessions);
            add("structured", Structured);
            add("confirm", Confirm);
            add("emote", Emote);
            add("bark", Bark);
            add("happen", Happen);
            add("forget", Forget);
            add("stats", Stats);
            add("resume", Resume);
            add("heartbeat", Heartbeat);
            add("restart", Restart);
            add("bye", Bye);
            foreach (var step in steps)
                if ((code = await RunStep(step.Key, step.Value)) != 0)
                    break;
            _isOver = true;
            _game.Join();
            if (code == 0)
                Say("done");
            return code;
        }

        private static async Task<int> RunStep(string name, Func<Task> step)
        {
            try
            {
                var running = step();
                if (await Task.WhenAny(running, Task.Delay(TimeSpan.FromSeconds(200))) != running)
                    throw new StepFailed("it did not end in time");
                await running;
                Say("ok " + name);
                return 0;
            }
            catch (Exception error)
            {
                Say("failed " + name + ": " + (error is StepFailed ? error.Message : error.ToString()));
                return 1;
            }
        }

        private NpcClientOptions Options(string token, Dispatcher dispatcher)
        {
            return new NpcClientOptions
            {
                Host = _host, Port = _port, Token = token, Dispatcher = dispatcher, ClientName = "conformance unity",
                Log = line => Console.Error.WriteLine(line), ConnectTimeout = TimeSpan.FromSeconds(20),
                AnswerTimeout = TimeSpan.FromSeconds(20),
            };
        }

        private async Task Connect()
        {
            _client = new NpcClient(Options(_token, _dispatcher));
            _client.StateChanged += (state, error) => _losses += state == NpcConnectionState.Connected ? 0 : 1;
            _client.Interrupted += error => _interruptions++;
            _client.Resumed += () => _resumptions++;
            var welcome = await _client.ConnectAsync();
            Check.Same("protocol", 1, welcome.Protocol);
            var npcs = welcome.Npcs.Select(npc => npc.Key + "=" + npc.Value).OrderBy(npc => npc);
            Check.Same("npcs", "mara=Mara pip=Pip", string.Join(" ", npcs));
            // what bye looks for in vain must be there now
            Check.Same("own threads", 2, OwnThread.Alive);
        }

        private async Task WrongToken()
        {
            if (_token.Length == 0)
                return;
            using (var other = new NpcClient(Options("wrong", null)))
            {
                Check.Same("error", "auth", await Check.CodeOf(other.ConnectAsync()));
            }
        }

        private async Task Talk()
        {
            _mara = await _client.TalkAsync("mara", "Robin");
            Check.Same("greeting", "What do you want?", _mara.Greeting);
        }

        private async Task Stream()
        {
            var heard = new Heard().Listen(_mara, "Hello.");
            var end = await Check.End(heard);
            Check.True("fewer than 2 pieces", heard.Pieces.Count >= 2);
            Check.Same("joined", end.Text, string.Concat(heard.Pieces));
            Check.Same("text", "Good day to you. Come in.", end.Text);
            Check.Same("sentences", "Good day to you.|Come in.", string.Join("|", heard.Sentences));
            Check.Same("finish_reason", "stop", end.FinishReason);
        }

        private async Task Tool(string item, Action<NpcToolCall> onCall, string status, string words)
        {
            var heard = new Heard().Listen(_mara, "Give me the " + item + ".", onCall);
            var end = await Check.End(heard);
            var calls = heard.Calls.Select(call => call.Name + " " + call.Arguments["item"]);
            Check.Same("calls", "give_item " + item, string.Join("|", calls));
            Check.Same("settled", "give_item " + status, string.Join("|", heard.Settled));
            Check.True("the text is " + end.Text, end.Text.EndsWith(words, StringComparison.Ordinal));
        }

        private async Task Screenshot()
        {
            var view = new SayOptions().WithPng(Convert.FromBase64String(Pixel));
            var heard = new Heard().Listen(_mara, "What is this?", null, view);
            Check.Same("error", "unsupported", (await Check.End(heard)).Error?.Code);
        }

        private async Task Cancel()
        {
            var heard = new Heard().Listen(_mara, "Tell me a story.");
            await Check.Within(heard.Began);
            heard.Reply.Cancel();
            var end = await Check.End(heard);
            Check.Same("finish_reason", "cancelled", end.FinishReason);
            Check.Same("text", string.Concat(heard.Pieces).Trim(), end.Text.Trim());
        }

        private async Task UnknownNpc()
        {
            try
            {
                await _client.TalkAsync("nobody");
            }
            catch (NpcException error)
            {
                Check.Same("error", "unknown_npc", error.Code);
                Check.True("there is no hint", error.Hint.Length > 0);
                return;
            }
            throw new StepFailed("nobody talks");
        }

        private async Task Learn()
        {
            Check.True("no entry_id came", (await _client.LearnAsync("pip", "It rains.", "seen")).Length > 0);
        }

        private async Task TwoAtOnce()
        {
            _pip = await _client.TalkAsync("pip");
            Check.Same("greeting", "Psst!", _pip.Greeting);
            var first = new Heard().Listen(_mara, "Now?");
            var second = new Heard().Listen(_pip, "Now?");
            Check.Same("mara", "Mara speaks.", (await Check.End(first)).Text);
            Check.Same("pip", "Pip speaks.", (await Check.End(second)).Text);
            Check.Same("mara's pieces", "Mara speaks.", string.Concat(first.Pieces));
            Check.Same("pip's pieces", "Pip speaks.", string.Concat(second.Pieces));
        }

        private async Task Heartbeat()
        {
            await Task.Delay(TimeSpan.FromSeconds(5));
            await _client.PingAsync();
            Check.Same("state", NpcConnectionState.Connected, _client.State);
        }

        private async Task Restart()
        {
            var heard = new Heard().Listen(_mara, "Tell me a story.");
            await Check.Within(heard.Began);
            Say("RESTART");
            var end = await Check.End(heard);
            Check.Same("error", "connection_lost", end.Error?.Code);
            Check.Same("text so far", string.Concat(heard.Pieces), end.Text);
            var late = await Check.End(new Heard().Listen(_mara, "Hello."));
            Check.Same("an old session", "connection_lost", late.Error?.Code);
            await Returned();
            var pip = await _client.TalkAsync("pip");
            Check.Same("pip", "Pip speaks.", (await Check.End(new Heard().Listen(pip, "Now?"))).Text);
            Check.Same("ends", 1, heard.Ends.Count);
        }

        private async Task Returned()
        {
            for (var tries = 0; ; tries++)
            {
                try
                {
                    await _client.ConnectAsync();
                    return;
                }
                catch (NpcException error) when (error.IsRetryable && tries < 9)
                {
                    // the server takes its time
                }
            }
        }

        private async Task Bye()
        {
            await _client.CloseAsync();
            Check.Same("state", NpcConnectionState.Closed, _client.State);
            Check.Same("error after the end", "connection_lost", await Check.CodeOf(_client.PingAsync()));
            await Check.Threads(0);
        }

        private static void Say(string line)
        {
            Console.WriteLine(line);
            Console.Out.Flush();
        }
    }
}
