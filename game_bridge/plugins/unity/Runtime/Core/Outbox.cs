using System;
using System.Collections.Generic;
using System.Threading;

namespace NpcBridge
{
    /// <summary>The writing half of a connection: a bounded queue, and the thread that empties it.</summary>
    /// <remarks>The game's threads only ever add to it, so none of them waits for the socket.</remarks>
    internal sealed class Outbox
    {
        private const int MaxMessages = 1024;
        private const long MaxBytes = 64L * 1024 * 1024;

        private readonly Queue<byte[]> _queue = new Queue<byte[]>();
        private readonly Wire _wire;
        private readonly Action<NpcException> _onBroken;
        private readonly Action<NpcException> _onFull;
        private readonly Thread _thread;
        private long _bytes;
        private bool _isClosed;

        internal Outbox(Wire wire, Action<NpcException> onBroken, Action<NpcException> onFull)
        {
            _wire = wire;
            _onBroken = onBroken;
            _onFull = onFull;
            _thread = OwnThread.Start("npc-write", Run);
        }

        /// <summary>Queue bytes. A full queue means that the server takes nothing, and breaks the connection.</summary>
        internal void Add(byte[] data)
        {
            lock (_queue)
            {
                if (_isClosed)
                    return;
                if (_queue.Count < MaxMessages && _bytes + data.Length <= MaxBytes)
                {
                    _bytes += data.Length;
                    _queue.Enqueue(data);
                    Monitor.Pulse(_queue);
                    return;
                }
            }
            _onFull(NpcException.Lost("the server takes no messages: " + MaxMessages + " are waiting"));
        }

        /// <summary>Take no more, and wait a moment for the thread; the wire must have been told to stop.</summary>
        internal void Close(int patienceMs)
        {
            lock (_queue)
            {
                _isClosed = true;
                _queue.Clear();
                Monitor.Pulse(_queue);
            }
            _thread.Join(patienceMs);
        }

        private void Run()
        {
            try
            {
                for (var data = Next(); data != null; data = Next())
                    _wire.Send(data);
            }
            catch (NpcException error)
            {
                _onBroken(error);
            }
            catch (ObjectDisposedException)
            {
                // closed while it stood in a send
            }
        }

        private byte[] Next()
        {
            lock (_queue)
            {
                while (_queue.Count == 0 && !_isClosed)
                    Monitor.Wait(_queue);
                if (_isClosed)
                    return null;
                var data = _queue.Dequeue();
                _bytes -= data.Length;
                return data;
            }
        }
    }
}
