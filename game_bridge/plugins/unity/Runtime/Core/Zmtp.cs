using System;
using System.Collections.Generic;
using System.Text;

namespace NpcBridge
{
    /// <summary>One frame as it stood on the socket.</summary>
    internal struct ZmtpFrame
    {
        internal bool HasMore;
        internal bool IsCommand;
        internal byte[] Body;

        /// <summary>The name of a command; empty where it has none.</summary>
        internal string CommandName()
        {
            if (Body.Length == 0 || Body[0] > Body.Length - 1)
                return "";
            return Encoding.ASCII.GetString(Body, 1, Body[0]);
        }
    }

    /// <summary>The bytes of ZMTP 3.0 that a client sends. Knows no socket.</summary>
    internal static class Zmtp
    {
        internal const int GreetingBytes = 64;
        internal const int MaxFrameBytes = 16 * 1024 * 1024;
        internal const int MaxFrames = 16;
        private const byte More = 1, Long = 2, Command = 4;

        internal static byte[] Greeting(string mechanism)
        {
            var greeting = new byte[GreetingBytes];
            greeting[0] = 0xff;
            greeting[9] = 0x7f;
            greeting[10] = 3;
            Encoding.ASCII.GetBytes(mechanism, 0, mechanism.Length, greeting, 12);
            return greeting;
        }

        /// <summary>
        /// The mechanism that a greeting names. Throws NpcException for what is no greeting of ZMTP 3.
        /// </summary>
        internal static string ReadGreeting(byte[] greeting)
        {
            if (greeting[0] != 0xff || (greeting[9] & 1) == 0 || greeting[10] < 3)
                throw NpcException.Protocol("what listens there is no bridge server", "check the port");
            return Encoding.ASCII.GetString(greeting, 12, 20).TrimEnd('\0');
        }

        internal static byte[] Ready() => CommandFrame(Named("READY", Properties()));

        internal static byte[] Initiate() => CommandFrame(Named("INITIATE", Properties()));

        internal static byte[] PlainHello(string user, string password)
        {
            var credentials = new List<byte>();
            foreach (var word in new[] { user, password })
            {
                var data = Encoding.UTF8.GetBytes(word);
                if (data.Length > 255)
                    throw NpcException.Auth("the token is longer than 255 bytes",
                        "take the token that the server wrote");
                credentials.Add((byte)data.Length);
                credentials.AddRange(data);
            }
            return CommandFrame(Named("HELLO", credentials.ToArray()));
        }

        /// <summary>The answer to a PING: the same context, without the two bytes of its time to live.</summary>
        internal static byte[] Pong(byte[] ping)
        {
            const int head = 7;
            var context = new byte[Math.Min(16, Math.Max(0, ping.Length - head))];
            Array.Copy(ping, Math.Min(head, ping.Length), context, 0, context.Length);
            return CommandFrame(Named("PONG", context));
        }

        /// <summary>Header and body of each frame of one message, ready for the socket.</summary>
        internal static byte[] Message(IList<byte[]> frames)
        {
            var size = 0;
            foreach (var frame in frames)
                size += 9 + frame.Length;
            var bytes = new List<byte>(size);
            for (var i = 0; i < frames.Count; i++)
                Append(bytes, i + 1 < frames.Count ? More : (byte)0, frames[i]);
            return bytes.ToArray();
        }

        private static byte[] CommandFrame(byte[] body)
        {
            var bytes = new List<byte>();
            Append(bytes, Command, body);
            return bytes.ToArray();
        }

        private static void Append(List<byte> bytes, byte flags, byte[] body)
        {
            if (body.Length < 256)
            {
                bytes.Add(flags);
                bytes.Add((byte)body.Length);
            }
            else
            {
                bytes.Add((byte)(flags | Long));
                for (var shift = 56; shift >= 0; shift -= 8)
                    bytes.Add((byte)((ulong)body.Length >> shift));
            }
            bytes.AddRange(body);
        }

        private static byte[] Named(string name, byte[] rest)
        {
            var bytes = new List<byte> { (byte)name.Length };
            bytes.AddRange(Encoding.ASCII.GetBytes(name));
            bytes.AddRange(rest);
            return bytes.ToArray();
        }

        private static byte[] Properties()
        {
            var bytes = new List<byte>();
            AppendProperty(bytes, "Socket-Type", "DEALER");
            // an empty identity lets the server tell a reconnected client from the old one
            AppendProperty(bytes, "Identity", "");
            return bytes.ToArray();
        }

        private static void AppendProperty(List<byte> bytes, string name, string value)
        {
            bytes.Add((byte)name.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(name));
            bytes.AddRange(new byte[] { 0, 0, 0, (byte)value.Length });
            bytes.AddRange(Encoding.ASCII.GetBytes(value));
        }
    }

    /// <summary>Bytes in, frames out. Refuses a frame before it has room for it. Knows no socket.</summary>
    internal sealed class FrameReader
    {
        private byte[] _data = new byte[8192];
        private int _start;
        private int _end;

        internal void Append(byte[] bytes, int count)
        {
            if (_end + count > _data.Length)
                MakeRoom(count);
            Buffer.BlockCopy(bytes, 0, _data, _end, count);
            _end += count;
        }

        /// <summary>That many bytes as they are, or null while they have not come.</summary>
        internal byte[] TryTake(int count)
        {
            return _end - _start < count ? null : Take(count);
        }

        /// <summary>Whether a whole frame was there. Throws NpcException for one that is not allowed.</summary>
        internal bool TryRead(out ZmtpFrame frame)
        {
            frame = default(ZmtpFrame);
            if (_end - _start < 2)
                return false;
            var flags = _data[_start];
            if (flags > 7 || (flags & 5) == 5)
                throw NpcException.Protocol("a frame begins with the flags 0x" + flags.ToString("x2"));
            var head = (flags & 2) != 0 ? 9 : 2;
            if (_end - _start < head)
                return false;
            ulong size = 0;
            for (var i = 1; i < head; i++)
                size = (size << 8) | _data[_start + i];
            if (size > Zmtp.MaxFrameBytes)
                throw NpcException.Protocol("a frame of " + size + " bytes; " + Zmtp.MaxFrameBytes + " are allowed");
            if ((ulong)(_end - _start - head) < size)
                return false;
            _start += head;
            frame.HasMore = (flags & 1) != 0;
            frame.IsCommand = (flags & 4) != 0;
            frame.Body = Take((int)size);
            return true;
        }

        private byte[] Take(int count)
        {
            var piece = new byte[count];
            Buffer.BlockCopy(_data, _start, piece, 0, count);
            _start += count;
            return piece;
        }

        private void MakeRoom(int count)
        {
            var held = _end - _start;
            var target = held + count > _data.Length / 2 ? new byte[2 * (held + count)] : _data;
            Buffer.BlockCopy(_data, _start, target, 0, held);
            _data = target;
            _start = 0;
            _end = held;
        }
    }
}
