using System;
using System.Collections.Generic;
using System.Threading;

namespace NpcBridge
{
    /// <summary>What time does to a connection: what is late ends, beats go out, silence is a break.</summary>
    internal sealed partial class Link
    {
        private const double LookEveryS = 0.05;
        private const double LeastSilenceS = 2;
        private const int LeastSilentBeats = 3;

        private double _nextPing;
        private double _nextLook;

        private void EndLate(double now)
        {
            if (now < _nextLook)
                return;
            _nextLook = now + LookEveryS;
            var late = new List<OpenReply>();
            var numbers = new List<long>();
            lock (_gate)
            {
                foreach (var open in _replies.Values)
                    if (now > open.Deadline)
                        late.Add(open);
                foreach (var open in late)
                    _replies.Remove(open.Reply.RequestId);
                foreach (var pair in _asked)
                    if (now > pair.Value.Deadline)
                        numbers.Add(pair.Key);
            }
            foreach (var number in numbers)
                GiveUp(number)?.Fail(NpcException.Lost("the server did not answer in time", "is it busy, or gone?"));
            foreach (var open in late)
            {
                Tell(Body("cancel", "request_id", open.Reply.RequestId));
                Deliver(open.Reply, ServerMessage.Failed(open.Reply.RequestId,
                    new NpcException("timeout", "the reply did not end in time", "", true)));
            }
        }

        private double BeatS => Math.Max(LookEveryS, Math.Min(Welcome.HeartbeatS, Welcome.IdleS / 3));

        /// <summary>Throws NpcException (connection_lost) for a line on which nothing comes any more.</summary>
        /// <remarks>
        /// Beats are counted, not seconds: a game that stood still has not heard that nobody spoke. Judged after a
        /// look, which hears what came meanwhile; the last beat leaves no time for an answer, and does not count.
        /// </remarks>
        private void Listen()
        {
            var patienceS = Welcome.IdleS;
            if (Welcome.Resume != null)
                patienceS = Math.Min(patienceS, Math.Max(LeastSilentBeats * BeatS, LeastSilenceS));
            if (!IsLost && (_line.SilentBeats - 1) * BeatS >= patienceS)
                throw NpcException.Lost("the server was silent for " + patienceS + " s");
        }

        private void Beat()
        {
            if (Clock.Now < _nextPing)
                return;
            _nextPing = Clock.Now + BeatS;
            _line.SilentBeats++;
            Tell(Body("ping"), false);
        }

        private void WaitForGame()
        {
            while (_options.Dispatcher != null && _options.Dispatcher.Count > Dispatcher.MaxWaiting && !IsLost
                   && !_isClosing())
            {
                Thread.Sleep(Wire.SliceMs);
                EndLate(Clock.Now);
            }
        }
    }
}
