using System;
using System.Collections.Generic;
using System.Threading;

namespace NpcBridge
{
    /// <summary>One socket after its handshake: whole messages in, bytes out. A connection may outlive it.</summary>
    /// <remarks>Open, Read and Close belong to the client's thread; Add may be called from any.</remarks>
    internal sealed class Line
    {
        private const int CloseMs = 300;
        private const int MaxFullReads = 256;

        private readonly FrameReader _reader = new FrameReader();
        private readonly List<byte[]> _frames = new List<byte[]>();
        private readonly byte[] _buffer = new byte[65536];
        private readonly Wire _wire;
        private readonly Outbox _outbox;
        private NpcException _broken;
        private int _fullReads;

        /// <summary>How many beats were sent since something came.</summary>
        internal int SilentBeats { get; set; }

        /// <summary>
        /// Whether all is read that had come before the last look; also after very much, since a flood must not stop
        /// the clock.
        /// </summary>
        internal bool IsReadOut => _fullReads % MaxFullReads == 0;

        /// <summary>Connect and shake hands. Throws NpcException; onFull hears that the server takes nothing.</summary>
        internal Line(NpcClientOptions options, double deadline, Func<bool> isStopped, Action<NpcException> onFull)
        {
            var token = NpcToken.Find(options);
            _wire = Wire.Connect(options.Host, options.Port, deadline, isStopped);
            try
            {
                new Handshake(_wire, _reader, token).Run(deadline, isStopped);
            }
            catch (NpcException error)
            {
                _wire.Close();
                throw NpcToken.Explained(error, options);
            }
            _outbox = new Outbox(_wire, error => Interlocked.CompareExchange(ref _broken, error, null), onFull);
        }

        internal void Add(byte[] data) => _outbox.Add(data);

        /// <summary>
        /// Wait for a slice of time, and hand out the messages that came until take says no. Throws NpcException.
        /// </summary>
        internal void Read(Func<List<byte[]>, bool> take)
        {
            // frames may have come together with the last bytes of the handshake
            if (!HandOut(take))
                return;
            // of the writing half: what came before that is heard first, a goodbye for one
            var broken = Volatile.Read(ref _broken);
            var count = _wire.Receive(_buffer);
            _fullReads = count == _buffer.Length ? _fullReads + 1 : 0;
            if (count > 0)
            {
                SilentBeats = 0;
                _reader.Append(_buffer, count);
            }
            if (HandOut(take) && broken != null && IsReadOut)
                throw broken;
        }

        internal void Close()
        {
            _outbox.Close(CloseMs);
            _wire.Close();
        }

        private bool HandOut(Func<List<byte[]>, bool> take)
        {
            while (_reader.TryRead(out var frame))
            {
                if (frame.IsCommand)
                {
                    if (frame.CommandName() == "PING")
                        _outbox.Add(Zmtp.Pong(frame.Body));
                    continue;
                }
                _frames.Add(frame.Body);
                if (_frames.Count > Zmtp.MaxFrames)
                    throw NpcException.Protocol("a message of more than " + Zmtp.MaxFrames + " frames");
                if (frame.HasMore)
                    continue;
                var isMore = take(_frames);
                _frames.Clear();
                if (!isMore)
                    return false;
            }
            return true;
        }
    }
}
