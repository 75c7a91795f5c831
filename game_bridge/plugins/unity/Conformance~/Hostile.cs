using System;
using System.Diagnostics;

namespace NpcBridge.Conformance
{
    /// <summary>
    /// Connects to a server that does not keep to the protocol, and prints how that went and what was left.
    /// </summary>
    internal static class Hostile
    {
        private const int LargeBytes = 6 * 1024 * 1024;
        private const int EndMs = 2500;

        internal static int Run(string host, int port)
        {
            var options = new NpcClientOptions
            {
                Host = host, Port = port, Token = "", Reconnects = false, ConnectTimeout = TimeSpan.FromSeconds(2),
                AnswerTimeout = TimeSpan.FromSeconds(1),
            };
            var client = new NpcClient(options);
            var watch = new Stopwatch();
            Console.WriteLine("error " + Try(client, watch));
            watch.Start();
            client.Dispose();
            Console.WriteLine("disposed " + (watch.ElapsedMilliseconds < 1000 ? "in time" : "late"));
            Console.WriteLine("state " + client.State);
            Console.WriteLine("threads " + OwnThread.Alive);
            return 0;
        }

        private static string Try(NpcClient client, Stopwatch watch)
        {
            try
            {
                client.ConnectAsync().GetAwaiter().GetResult();
                var session = client.TalkAsync("mara").GetAwaiter().GetResult();
                var ends = 0;
                // more than a socket holds, so that a server that does not read keeps the writer waiting
                var options = new SayOptions().WithPng(new byte[LargeBytes]);
                var reply = session.Say("Hello.", said => said.Ended += end => ends++, options);
                var after = "";
                if (!reply.Completion.Wait(EndMs))
                {
                    after = " after dispose";
                    watch.Start();
                    client.Dispose();
                    watch.Stop();
                }
                var code = reply.Completion.Wait(EndMs) ? reply.Completion.Result.Error?.Code ?? "none" : "no end";
                return (ends == 1 ? code : ends + " ends") + after;
            }
            catch (NpcException error)
            {
                return error.Code;
            }
        }
    }
}
