using System;

namespace NpcBridge
{
    /// <summary>The pauses between attempts to connect: each twice the one before, with some chance in it.</summary>
    internal sealed class BackOff
    {
        private readonly Random _random = new Random();
        private readonly double _firstS;
        private readonly double _mostS;
        private double _began = double.MaxValue;
        private double _nextS;

        internal BackOff(NpcClientOptions options)
        {
            _firstS = Math.Max(0.01, options.ReconnectAfter.TotalSeconds);
            _mostS = Math.Max(_firstS, options.ReconnectAtMost.TotalSeconds);
            _nextS = _firstS;
        }

        internal void Began()
        {
            _began = Clock.Now;
        }

        /// <summary>
        /// Only a connection that lasted starts over, so that one that breaks at once is not tried ten times a second.
        /// </summary>
        internal void Ended()
        {
            if (Clock.Now - _began > _mostS)
                _nextS = _firstS;
            _began = double.MaxValue;
        }

        internal double Take()
        {
            // half to whole, so that many games do not come back in the same moment
            var pause = _nextS * (0.5 + 0.5 * _random.NextDouble());
            _nextS = Math.Min(_mostS, 2 * _nextS);
            return pause;
        }
    }
}
