using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace NpcBridge.Conformance
{
    /// <summary>
    /// A game that stands still, and one that gives up what it asked. The server that is played tells when to go on.
    /// </summary>
    internal sealed class Patience
    {
        private const int StandStillMs = 6000;
        private const double SoonS = 0.1;

        private readonly NpcClient _client;
        private readonly ManualResetEventSlim _broke = new ManualResetEventSlim();
        private NpcSession _mara;

        private Patience(string host, int port)
        {
            _client = new NpcClient(new NpcClientOptions
            {
                Host = host, Port = port, Token = "", Reconnects = false, ConnectTimeout = TimeSpan.FromSeconds(60),
                AnswerTimeout = TimeSpan.FromSeconds(60),
            });
            _client.Interrupted += error => _broke.Set();
        }

        internal static int Run(string host, int port, bool isStalled)
        {
            var game = new Patience(host, port);
            using (game._client)
                (isStalled ? game.Stall() : game.Regret()).GetAwaiter().GetResult();
            return 0;
        }

        /// <summary>
        /// A handler that does not return for longer than the line's and the question's patience: the client's own
        /// thread stands still, while all answers come.
        /// </summary>
        private async Task Stall()
        {
            await _client.ConnectAsync();
            _mara = await _client.TalkAsync("mara");
            Task<string> asked = null;
            var reply = _mara.Say("Hello.", said => said.TextReceived += piece =>
            {
                asked = Check.CodeOf(Ask("state_ok", "state", "values", Rain));
                Console.In.ReadLine();
                Thread.Sleep(StandStillMs);
            });
            await Check.Within(reply.Completion);
            Console.WriteLine("reply " + (reply.Completion.Result.Error?.Code ?? "none"));
            Console.WriteLine("answer " + (await asked == "" ? "none" : await asked));
            Console.WriteLine("state " + _client.State);
        }

        /// <summary>While the line is away one question is late, one cancelled; the leave is still meant.</summary>
        private async Task Regret()
        {
            await _client.ConnectAsync();
            _mara = await _client.TalkAsync("mara");
            _broke.Wait();
            Console.WriteLine("late " + await Check.CodeOf(Ask("state_ok", "state", "values", Rain)));
            using (var cancel = new CancellationTokenSource())
            {
                var asked = _client.TalkAsync("mara", "Robin", cancel.Token);
                cancel.Cancel();
                await Task.WhenAny(asked);
                Console.WriteLine("cancelled " + asked.IsCanceled);
            }
            Console.WriteLine("left " + await Check.CodeOf(Ask("left", "leave", "session_id", "s-1")));
            Console.Out.Flush();
            Console.In.ReadLine();
        }

        private static Dictionary<string, object> Rain => new Dictionary<string, object> { { "weather", "rain" } };

        /// <summary>With less patience than the others.</summary>
        private Task Ask(string answer, string type, string field, object value)
        {
            return _mara.Link.Ask(Link.Body(type, field, value), answer, SoonS, CancellationToken.None);
        }
    }
}
