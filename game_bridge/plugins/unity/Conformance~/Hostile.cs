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
        private const int EndMs = 6000;
        private const int PatientEndMs = 60000;
        private const int DisposeMs = 10000;

        internal static int Run(string host, int port, bool isLarge)
        {
            var options = new NpcClientOptions
            {
                Host = host, Port = port, Token = "", Reconnects = false, ConnectTimeout = TimeSpan.FromSeconds(6),
                AnswerTimeout = TimeSpan.FromSeconds(6),
            };
            var client = new NpcClient(options);
            var watch = new Stopwatch();
            Console.WriteLine("error " + Try(client, watch, isLarge));
            watch.Start();
            client.Dispose();
            Console.WriteLine("disposed " + (watch.ElapsedMilliseconds < DisposeMs ? "in time" : "late"));
            Console.WriteLine("state " + client.State);
            for (var waited = 0; OwnThread.Alive > 0 && waited < 1000; waited++)
                System.Threading.Thread.Sleep(10);
            Console.WriteLine("threads " + OwnThread.Alive);
            return 0;
        }

        private static string Try(NpcClient client, Stopwatch watch, bool isLarge)
        {
            try
            {
                client.ConnectAsync().GetAwaiter().GetResult();
                var session = client.TalkAsync("mara").GetAwaiter().GetResult();
                var ends = 0;
                // more than a socket holds, so that a server that does not read keeps the writer waiting
                var options = isLarge ? new SayOptions().WithPng(new byte[LargeBytes]) : null;
                var reply = session.Say("Hello.", said => said.Ended += end => ends++, options);
                var after = "";
                // a server that reads nothing goes on for ever; one that is fragile ends it, at its own pace
                if (!reply.Completion.Wait(isLarge ? EndMs : PatientEndMs))
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
