using System.Collections.Generic;

namespace NpcBridge
{
    /// <summary>
    /// What was sent and heard since the welcome, so that a connection that broke goes on where it was.
    /// </summary>
    /// <remarks>Bytes ready for the socket; knows no message. Guarded by the link's gate.</remarks>
    internal sealed class Ledger
    {
        private const int MaxMessages = 256;
        private const long MaxBytes = 1024 * 1024;

        private readonly Queue<byte[]> _kept = new Queue<byte[]>();
        private long _sent;
        private long _bytes;

        /// <summary>Messages of the server's.</summary>
        internal long Heard { get; set; }

        /// <summary>A message goes out; the oldest of very many are forgotten.</summary>
        internal void Note(byte[] data)
        {
            _sent++;
            _bytes += data.Length;
            _kept.Enqueue(data);
            while (_kept.Count > 0 && (_kept.Count > MaxMessages || _bytes > MaxBytes))
                _bytes -= _kept.Dequeue().Length;
        }

        /// <summary>
        /// What was sent after the first count messages; null where that was forgotten, or never sent.
        /// </summary>
        internal List<byte[]> After(long count)
        {
            var missed = _sent - count;
            if (missed < 0 || missed > _kept.Count)
                return null;
            var all = new List<byte[]>(_kept);
            return all.GetRange(all.Count - (int)missed, (int)missed);
        }

        internal void StartOver()
        {
            Heard = _sent = _bytes = 0;
            _kept.Clear();
        }
    }
}
