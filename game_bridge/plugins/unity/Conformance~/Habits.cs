using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace NpcBridge.Conformance
{
    /// <summary>
    /// What a game may do to the client beyond the script: wrong threads, bad handlers, too much, at the wrong time.
    /// </summary>
    internal sealed class Habits
    {
        private const int Sessions = 8;
        private const int OwnThreads = 2;  // of the client that each habit is given

        private readonly string _host;
        private readonly int _port;
        private readonly string _token;
        private readonly List<string> _log = new List<string>();
        private NpcClient _client;

        internal Habits(string host, int port, string token)
        {
            _host = host;
            _port = port;
            _token = token;
        }

        internal async Task<int> Run()
        {
            var steps = new Dictionary<string, Func<Task>>
            {
                { "pump", Pump }, { "handler_throws", HandlerThrows }, { "cancelled_wait", CancelledWait },
                { "answered_twice", AnsweredTwice }, { "too_large", TooLarge }, { "bad_values", BadValues },
                { "many_threads", ManyThreads }, { "dispose_in_handler", DisposeInHandler },
                { "dispose_in_reply", DisposeInReply }, { "reload", Reload }, { "back_pressure", BackPressure },
                { "connect_again", ConnectAgain }, { "token_file", TokenFile },
                { "call_kept", CallKept }, { "call_unagreed", CallUnagreed }, { "call_unheard", CallUnheard },
                { "own_end", OwnEnd },
            };
            foreach (var step in steps)
            {
                try
                {
                    using (_client = new NpcClient(Options(null)))
                    {
                        await _client.ConnectAsync();
                        await step.Value();
                    }
                    await Check.Threads(0);
                    Console.WriteLine("ok " + step.Key);
                }
                catch (Exception error)
                {
                    Console.WriteLine("failed " + step.Key + ": " + error);
                    return 1;
                }
            }
            Console.WriteLine("done");
            return 0;
        }

        private NpcClientOptions Options(Dispatcher dispatcher)
        {
            return new NpcClientOptions
            {
                Host = _host, Port = _port, Token = _token, Dispatcher = dispatcher, Reconnects = false,
                ConnectTimeout = TimeSpan.FromSeconds(20), AnswerTimeout = TimeSpan.FromSeconds(20),
                Log = line =>
                {
                    lock (_log)
                        _log.Add(line);
                },
            };
        }

        /// <summary>With a dispatcher nothing is raised but by Pump, and there on the thread that calls it.</summary>
        private async Task Pump()
        {
            var dispatcher = new Dispatcher();
            using (var client = new NpcClient(Options(dispatcher)))
            {
                await client.ConnectAsync();
                var mara = await client.TalkAsync("mara");
                var heard = new Heard();
                var threads = new List<int>();
                heard.Listen(mara, "Hello.");
                heard.Reply.TextReceived += piece => threads.Add(Thread.CurrentThread.ManagedThreadId);
                await Task.Delay(500);
                Check.Same("pieces before Pump", 0, heard.Pieces.Count);
                Check.True("it ended before Pump", !heard.Reply.IsEnded);
                for (var waited = 0; !heard.Reply.IsEnded && waited < 6000; waited++)
                {
                    dispatcher.Pump();
                    Thread.Sleep(10);
                }
                Check.Same("ends", 1, heard.Ends.Count);
                Check.True("another thread", threads.All(id => id == Thread.CurrentThread.ManagedThreadId));
            }
        }

        private async Task HandlerThrows()
        {
            var mara = await _client.TalkAsync("mara");
            var ends = 0;
            var reply = mara.Say("Hello.", said =>
            {
                said.TextReceived += piece => throw new InvalidOperationException("the game's own mistake");
                said.Ended += end => ends++;
            });
            await Check.Within(reply.Completion);
            await _client.PingAsync();
            Check.Same("ends", 1, ends);
            Check.Same("text", "Good day to you. Come in.", reply.Completion.Result.Text);
            lock (_log)
                Check.True("the mistake is not in the log", _log.Any(line => line.Contains("the game's own mistake")));
        }

        private async Task CancelledWait()
        {
            using (var cancel = new CancellationTokenSource())
            {
                cancel.Cancel();
                try
                {
                    await _client.TalkAsync("mara", "Robin", cancel.Token);
                    throw new StepFailed("it waited");
                }
                catch (OperationCanceledException)
                {
                    await Heard("Hello.", "Good day to you. Come in.");
                }
            }
        }

        private async Task AnsweredTwice()
        {
            var answers = new List<bool>();
            var heard = new Heard().Listen(await _client.TalkAsync("mara"), "The sword!", call =>
            {
                answers.Add(call.Accept());
                answers.Add(call.Refuse("no"));
            });
            await Check.End(heard);
            Check.Same("answers", "True False", string.Join(" ", answers));
            Check.Same("settled", "give_item accepted", string.Join(" ", heard.Settled));
        }

        /// <summary>What could not be sent was no answer.</summary>
        private async Task CallKept()
        {
            var heard = new Heard().Listen(await _client.TalkAsync("mara"), "The sword!", call =>
            {
                try
                {
                    call.Accept(new object());
                }
                catch (NpcException)
                {
                    call.Accept();
                }
            });
            await Check.End(heard);
            Check.Same("settled", "give_item accepted", string.Join(" ", heard.Settled));
        }

        /// <summary>Nor was one before the player agreed.</summary>
        private async Task CallUnagreed()
        {
            var answers = new List<bool>();
            var heard = new Heard().Listen(await _client.TalkAsync("mara"), "Take my coin.", call =>
            {
                answers.Add(call.Accept());
                answers.Add(call.Confirm(true));
                answers.Add(call.Confirm(false));
                answers.Add(call.Accept());
            }, new SayOptions { CanConfirm = true });
            await Check.End(heard);
            Check.Same("answers", "False True False True", string.Join(" ", answers));
            Check.Same("settled", "charge accepted", string.Join(" ", heard.Settled));
        }

        private async Task CallUnheard()
        {
            var settled = "";
            var mara = await _client.TalkAsync("mara");
            var reply = mara.Say("The sword!", said => said.ToolSettled += result => settled += result.Status);
            await Check.Within(reply.Completion);
            Check.Same("settled", "refused", settled);
            lock (_log)
                Check.True("nothing in the log", _log.Any(line => line.Contains("nobody listens to ToolCalled")));
        }

        /// <summary>What the game itself ended is no fault, and nothing reconnects meanwhile.</summary>
        private async Task OwnEnd()
        {
            foreach (var isPolite in new[] { true, false })
            {
                var states = new List<string>();
                var options = Options(null);
                options.Reconnects = true;
                var client = new NpcClient(options);
                client.StateChanged += (state, error) => states.Add(state + (error == null ? "" : " " + error));
                await client.ConnectAsync();
                if (isPolite)
                    await client.CloseAsync();
                client.Dispose();
                await Check.Threads(OwnThreads);
                Check.Same("states", "Connecting, Connected, Closed", string.Join(", ", states));
            }
        }

        private async Task TooLarge()
        {
            var mara = await _client.TalkAsync("mara");
            var big = new SayOptions().WithPng(new byte[9 * 1024 * 1024]);
            var many = new SayOptions();
            for (var i = 0; i < 20; i++)
                many.WithPng(new byte[] { 1 });
            await TooLarge("a big picture", mara, "See?", big);
            await TooLarge("many pictures", mara, "See?", many);
            await TooLarge("a long text", mara, new string('w', 300000), null);
            await TooLarge("8,001 characters", mara, new string('w', 8001), null);
            await Heard("Hello.", "Good day to you. Come in.");
        }

        private static async Task TooLarge(string what, NpcSession session, string words, SayOptions options)
        {
            var end = await Check.End(new Heard().Listen(session, words, null, options));
            Check.Same(what, "too_large", end.Error?.Code);
        }

        private async Task BadValues()
        {
            var loop = new Dictionary<string, object>();
            loop["self"] = loop;
            var values = new object[] { double.NaN, new byte[1], '\ud800' + "x", ulong.MaxValue, new object() };
            foreach (var value in values)
                Check.Same(value.ToString(), "protocol", await State(value));
            Check.Same("a loop", "too_large", await State(loop));
            await Heard("Hello.", "Good day to you. Come in.");
        }

        private Task<string> State(object value)
        {
            return Check.CodeOf(_client.SetStateAsync(new Dictionary<string, object> { { "weather", value } }));
        }

        private async Task ManyThreads()
        {
            var talks = Enumerable.Range(0, Sessions).Select(number => Task.Run(() => OneOfMany(number)));
            Check.Same("good replies", Sessions, (await Task.WhenAll(talks)).Count(isGood => isGood));
        }

        private async Task<bool> OneOfMany(int number)
        {
            var isMara = number % 2 == 0;
            var session = await _client.TalkAsync(isMara ? "mara" : "pip", "Player " + number);
            var heard = new Heard().Listen(session, "Now?");
            var end = await Check.End(heard);
            return end.Text == (isMara ? "Mara speaks." : "Pip speaks.") && end.Text == string.Concat(heard.Pieces);
        }

        private async Task DisposeInHandler()
        {
            var mara = await _client.TalkAsync("mara");
            var heard = new Heard();
            heard.Listen(mara, "Tell me a story.");
            heard.Reply.TextReceived += piece => _client.Dispose();
            var end = await Check.End(heard);
            Check.Same("error", "connection_lost", end.Error?.Code);
            await Check.Threads(0);
        }

        /// <summary>In the midst of a reply, and with an answer still to come: each ends once.</summary>
        private async Task DisposeInReply()
        {
            var mara = await _client.TalkAsync("mara");
            var heard = new Heard().Listen(mara, "Tell me a story.");
            await Check.Within(heard.Began);
            var asked = Check.CodeOf(_client.StatsAsync());
            _client.Dispose();
            Check.Same("error", "connection_lost", (await Check.End(heard)).Error?.Code);
            Check.Same("text so far", string.Concat(heard.Pieces), heard.Ends[0].Text);
            Check.True("the answer has no end", new[] { "", "connection_lost" }.Contains(await asked));
            var late = await Check.End(new Heard().Listen(mara, "Hello?"));
            Check.Same("after the end", "connection_lost", late.Error?.Code);
        }

        /// <summary>
        /// As before a domain reload: several owners dispose on several threads, while one still connects and the
        /// dispatcher's thread is not pumping any more. Then everything begins anew.
        /// </summary>
        private async Task Reload()
        {
            for (var load = 0; load < 3; load++)
            {
                var dispatcher = new Dispatcher();
                var client = new NpcClient(Options(dispatcher));
                var connecting = Check.CodeOf(client.ConnectAsync());
                if (load > 0)
                    await connecting;
                await Task.WhenAll(Task.Run(() => client.Dispose()), Task.Run(() => client.Dispose()));
                client.Dispose();
                await connecting;
                await Check.Threads(OwnThreads);
                Check.Same("state", NpcConnectionState.Closed, client.State);
            }
            await Heard("Hello.", "Good day to you. Come in.");
        }

        /// <summary>A game that does not pump: the client stops reading before its events fill the memory.</summary>
        private async Task BackPressure()
        {
            var dispatcher = new Dispatcher();
            using (var client = new NpcClient(Options(dispatcher)))
            {
                await client.ConnectAsync();
                var ends = 0;
                var mara = await client.TalkAsync("mara");
                for (var i = 0; i < 2 * Dispatcher.MaxWaiting; i++)
                    dispatcher.Post(() => { });
                // the client sees that nobody pumps
                await Task.Delay(500);
                var reply = mara.Say("Tell me a story.", said => said.Ended += end => ends++);
                await Task.Delay(2000);
                Check.True("it went on reading", dispatcher.Count < 2 * Dispatcher.MaxWaiting + 16);
                reply.Cancel();
                for (var waited = 0; !reply.IsEnded && waited < 6000; waited++)
                {
                    dispatcher.Pump();
                    await Task.Delay(10);
                }
                Check.Same("ends", 1, ends);
                Check.Same("error", null, reply.Completion.Result.Error);
                await client.PingAsync();
            }
        }

        /// <summary>
        /// A client that lost its connection, and does not reconnect by itself, does so when it is asked.
        /// </summary>
        private async Task ConnectAgain()
        {
            var old = await _client.TalkAsync("mara");
            // a goodbye that the client did not wait for
            await Check.CodeOf(_client.Ask(old.Link, Link.Body("bye"), "goodbye", CancellationToken.None));
            for (var waited = 0; _client.State != NpcConnectionState.Closed && waited < 6000; waited++)
                await Task.Delay(10);
            Check.Same("state", NpcConnectionState.Closed, _client.State);
            await _client.ConnectAsync();
            Check.True("the old session is open", !old.IsOpen);
            await Heard("Hello.", "Good day to you. Come in.");
        }

        /// <summary>The token is read anew for each attempt, so that a server's next launch may have another.</summary>
        private async Task TokenFile()
        {
            var path = Path.GetTempFileName();
            try
            {
                var options = Options(null);
                options.Token = null;
                options.TokenFile = path;
                File.WriteAllText(path, "stale");
                using (var client = new NpcClient(options))
                {
                    Check.Same("a stale token", "auth", await Check.CodeOf(client.ConnectAsync()));
                    File.WriteAllText(path, _token + "\n");
                    await client.ConnectAsync();
                }
            }
            finally
            {
                File.Delete(path);
            }
        }

        private async Task Heard(string words, string answer)
        {
            var end = await Check.End(new Heard().Listen(await _client.TalkAsync("mara"), words));
            Check.Same("text", answer, end.Text);
        }
    }
}
