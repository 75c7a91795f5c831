using System;
using System.Collections.Generic;
using System.Threading;

namespace NpcBridge
{
    /// <summary>How a connection begins, and how it goes on over another line when one breaks.</summary>
    internal sealed partial class Link
    {
        private const double FirstPauseS = 0.1;
        private const double LongestPauseS = 1;

        /// <summary>Connect, shake hands and say hello. Throws NpcException; End must follow in any case.</summary>
        internal void Open(double deadline)
        {
            _line = new Line(_options, deadline, () => IsStopped, Break);
            var hello = Body("hello", "protocol", 1L, "client", _options.ClientName, "wants", Wants(),
                "resume", Welcome?.Resume, "heard", Welcome?.Resume == null ? null : (object)_ledger.Heard);
            Asking asking;
            lock (_gate)
            {
                asking = new Asking("welcome", deadline);
                hello["ref"] = ++_lastRef;
                _asked[_lastRef] = asking;
                _line.Add(Zmtp.Message(new[] { MsgPack.Pack(hello) }));
            }
            while (!asking.Task.IsCompleted && !IsStopped)
                Step();
            if (IsLost || !asking.Task.IsCompleted)
                throw _lost ?? NpcException.Lost("the client was closed");
            asking.Task.GetAwaiter().GetResult();
        }

        private List<object> Wants()
        {
            return _options.WantsEdits ? new List<object> { "resume", "edits" } : new List<object> { "resume" };
        }

        /// <summary>
        /// The line broke: go on over a new one, where the server lives and gave a key; else the connection is lost.
        /// </summary>
        private void ComeBack(NpcException error)
        {
            var until = Clock.Now + (Welcome?.ResumeS ?? 0);
            var broken = NpcException.Lost(error.Message);
            if (Welcome?.Resume == null || error.Code != "connection_lost")
            {
                Break(error);
                return;
            }
            lock (_gate)
                _isInterrupted = true;
            _sink.OnInterrupted(broken);
            for (var pause = FirstPauseS; Clock.Now < until && !IsStopped; pause = Math.Min(2 * pause, LongestPauseS))
            {
                _line.Close();
                if (TryOpen(Math.Min(until, Clock.Now + _options.ConnectTimeout.TotalSeconds), broken))
                    return;
                for (var end = Clock.Now + pause; Clock.Now < end && !IsStopped; EndLate(Clock.Now))
                    Thread.Sleep(Wire.SliceMs);
            }
            Break(broken);
        }

        /// <summary>Whether the connection goes on; it may also be lost by now.</summary>
        private bool TryOpen(double deadline, NpcException broken)
        {
            try
            {
                Open(deadline);
                _sink.OnResumed();
                return true;
            }
            catch (NpcException error)
            {
                // a port where nobody listens is a server that ended, with all that it knew
                if (error.IsNobodyThere)
                    Break(broken);
                else if (!error.IsRetryable)
                    Break(error);
                return false;
            }
        }

        /// <summary>The first messages of a line. Throws NpcException for another version.</summary>
        private void OnWelcome(ServerMessage message)
        {
            var welcome = new NpcWelcome(message);
            if (welcome.Protocol != 1)
                throw new NpcException("version", "the server speaks version " + welcome.Protocol, "this one speaks 1");
            lock (_gate)
            {
                if (!_isInterrupted)
                {
                    _ledger.StartOver();
                }
                else
                {
                    var missed = welcome.IsResumed ? _ledger.After(welcome.Heard) : null;
                    if (missed == null)
                        throw Forgotten(welcome);
                    foreach (var data in missed)
                        _line.Add(data);
                    _isInterrupted = false;
                }
                Welcome = welcome;
            }
        }

        private static NpcException Forgotten(NpcWelcome welcome)
        {
            var why = welcome.IsResumed ? "too much was said while the connection was broken"
                : "the server no longer knows this connection";
            return new NpcException("connection_lost", why, "talk again", true);
        }
    }
}
