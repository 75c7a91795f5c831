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

        private readonly List<byte[]> _kept = new List<byte[]>();
        private long _sent;
        private long _bytes;

        /// <summary>Messages of the server's.</summary>
        internal long Heard { get; set; }

        /// <summary>
        /// A message goes out, and this is its number, from 1; the oldest of very many are forgotten.
        /// </summary>
        internal long Note(byte[] data)
        {
            _sent++;
            _bytes += data.Length;
            _kept.Add(data);
            while (_kept.Count > 0 && (_kept.Count > MaxMessages || _bytes > MaxBytes))
                Forget();
            return _sent;
        }

        /// <summary>
        /// A message that is no longer meant: whoever did not hear it gets another in its place, so counts stay.
        /// </summary>
        internal void Replace(long number, byte[] instead)
        {
            var index = _kept.Count - (_sent - number) - 1;
            if (number < 1 || index < 0)
                return;
            _bytes += instead.Length - _kept[(int)index].Length;
            _kept[(int)index] = instead;
        }

        /// <summary>
        /// What was sent after the first count messages; null where that was forgotten, or never sent.
        /// </summary>
        internal List<byte[]> After(long count)
        {
            var missed = _sent - count;
            if (missed < 0 || missed > _kept.Count)
                return null;
            return _kept.GetRange(_kept.Count - (int)missed, (int)missed);
        }

        internal void StartOver()
        {
            Heard = _sent = _bytes = 0;
            _kept.Clear();
        }

        private void Forget()
        {
            _bytes -= _kept[0].Length;
            _kept.RemoveAt(0);
        }
    }
}
