using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace NpcBridge.Conformance
{
    /// <summary>
    /// The golden frames: all of the server's are read to the stated body, all of the client's written so.
    /// </summary>
    internal static class Vectors
    {
        // the one case of invalid.json that is wrong only because a client sent it
        private const string ServersOwn = "a server's type";

        // those that no map of any type may hold: the others are refused already for being a client's
        private static readonly HashSet<string> NoMaps = new HashSet<string>
        {
            "empty frame", "no msgpack", "cut short", "bytes after the map", "an array", "key twice", "key is a number",
            "key is binary", "binary value", "extension type", "timestamp", "nan", "infinity", "65-bit integer",
            "text that is not UTF-8", "nested too deeply",
        };

        private static int _faults;
        private static int _noMaps;

        internal static int Run(string folder)
        {
            var valid = Cases(folder, "valid.json");
            foreach (var item in valid)
                Attempt(item, (string)item["sender"] == "server" ? (Action<Dictionary<string, object>>)Server : Client);
            foreach (var item in Cases(folder, "invalid.json").Where(item => (string)item["name"] != ServersOwn))
                Attempt(item, Invalid);
            Attempt(new Dictionary<string, object> { { "name", "maps that are none" } },
                item => Expect(_noMaps == NoMaps.Count, "only " + _noMaps + " were there"));
            foreach (var item in valid.Where(item => (string)item["sender"] == "server"))
                Attempt(item, Damaged);
            Attempt(new Dictionary<string, object> { { "name", "frames on the socket" } }, Framed);
            Attempt(new Dictionary<string, object> { { "name", "the handshake" } }, Shaken);
            Console.WriteLine(_faults == 0 ? "done" : "faults " + _faults);
            return _faults == 0 ? 0 : 1;
        }

        private static List<Dictionary<string, object>> Cases(string folder, string name)
        {
            var all = (List<object>)Json.Read(File.ReadAllText(Path.Combine(folder, name)));
            Console.WriteLine("read " + all.Count + " of " + name);
            return all.Cast<Dictionary<string, object>>().ToList();
        }

        private static void Attempt(Dictionary<string, object> item, Action<Dictionary<string, object>> check)
        {
            try
            {
                check(item);
            }
            catch (Exception problem)
            {
                _faults++;
                Console.WriteLine("failed " + item["name"] + ": " + problem);
            }
        }

        private static void Server(Dictionary<string, object> item)
        {
            Expect(Same(ServerMessage.Read(Frames(item)).Body, item["body"]), "another body");
        }

        private static void Client(Dictionary<string, object> item)
        {
            var body = (Dictionary<string, object>)item["body"];
            Expect(Same(MsgPack.Unpack(MsgPack.Pack(body)), body), "another body after packing");
            Expect(Same(MsgPack.Unpack(Frames(item)[0]), body), "another body in the golden bytes");
        }

        private static void Invalid(Dictionary<string, object> item)
        {
            var frames = Frames(item);
            Expect(IsRefused(() => ServerMessage.Read(frames)), "taken");
            if (!NoMaps.Contains((string)item["name"]))
                return;
            _noMaps++;
            Expect(IsRefused(() => MsgPack.Unpack(frames[0])), "unpacked");
        }

        /// <summary>Each cut is refused; a changed byte is read or refused, but never breaks the reader.</summary>
        private static void Damaged(Dictionary<string, object> item)
        {
            var whole = Frames(item)[0];
            for (var length = 0; length < whole.Length; length++)
            {
                var cut = new List<byte[]> { whole.Take(length).ToArray() };
                Expect(IsRefused(() => ServerMessage.Read(cut)), "taken when cut at " + length);
            }
            var random = new Random(6);
            for (var turn = 0; turn < 500; turn++)
            {
                var other = (byte[])whole.Clone();
                other[random.Next(other.Length)] = (byte)random.Next(256);
                IsRefused(() => ServerMessage.Read(new List<byte[]> { other }));
            }
        }

        /// <summary>Frames of every width come out as they went in, whatever the pieces that they arrive in.</summary>
        private static void Framed(Dictionary<string, object> item)
        {
            foreach (var size in new[] { 0, 1, 255, 256, 70000 })
            {
                var frames = new List<byte[]> { new byte[size], new byte[] { 7 } };
                var bytes = Zmtp.Message(frames);
                foreach (var step in new[] { 1, 1000 })
                    Expect(string.Join(" ", Pieces(bytes, step).Select(part => part.Body.Length + "/" + part.HasMore))
                        == size + "/True 1/False", "frames of " + size + " in steps of " + step);
            }
        }

        /// <summary>The bytes that PROTOCOL.md gives, and an answer to PING.</summary>
        private static void Shaken(Dictionary<string, object> item)
        {
            const string greeting = "ff00000000000000007f03004e554c4c";
            const string ready = "0429055245414459" + "0b536f636b65742d54797065" + "000000064445414c4552"
                + "084964656e7469747900000000";
            const string plain = "04120548454c4c4f" + "0467616d65" + "06733363726574";
            Expect(Hex(Zmtp.Greeting("NULL")) == greeting + new string('0', 128 - greeting.Length), "another greeting");
            Expect(Hex(Zmtp.Ready()) == ready, "another READY");
            Expect(Hex(Zmtp.PlainHello("game", "s3cret")) == plain, "another HELLO");
            Expect(Hex(Zmtp.Pong(Bytes("0450494e47001ec0ffee"))) == "040804504f4e47c0ffee", "another PONG");
            Expect(Hex(Zmtp.Pong(Bytes("0450494e47"))) == "0405" + "04504f4e47", "another PONG without a context");
        }

        private static string Hex(byte[] bytes) => string.Concat(bytes.Select(item => item.ToString("x2")));

        private static List<ZmtpFrame> Pieces(byte[] bytes, int step)
        {
            var reader = new FrameReader();
            var found = new List<ZmtpFrame>();
            for (var at = 0; at < bytes.Length; at += step)
            {
                var piece = bytes.Skip(at).Take(step).ToArray();
                reader.Append(piece, piece.Length);
                while (reader.TryRead(out var frame))
                    found.Add(frame);
            }
            return found;
        }

        private static bool IsRefused(Action read)
        {
            try
            {
                read();
                return false;
            }
            catch (NpcException)
            {
                return true;
            }
        }

        private static List<byte[]> Frames(Dictionary<string, object> item)
        {
            return ((List<object>)item["frames"]).Select(hex => Bytes((string)hex)).ToList();
        }

        private static byte[] Bytes(string hex)
        {
            var bytes = new byte[hex.Length / 2];
            for (var i = 0; i < bytes.Length; i++)
                bytes[i] = byte.Parse(hex.Substring(2 * i, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            return bytes;
        }

        private static bool Same(object left, object right)
        {
            if (left is Dictionary<string, object> map && right is Dictionary<string, object> other)
                return map.Count == other.Count
                    && map.All(pair => other.ContainsKey(pair.Key) && Same(pair.Value, other[pair.Key]));
            if (left is List<object> list && right is List<object> others)
                return list.Count == others.Count && list.Zip(others, Same).All(isSame => isSame);
            return Equals(left, right);
        }

        private static void Expect(bool isGood, string complaint)
        {
            if (!isGood)
                throw new StepFailed(complaint);
        }
    }
}
