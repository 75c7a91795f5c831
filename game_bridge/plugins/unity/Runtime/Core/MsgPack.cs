using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace NpcBridge
{
    /// <summary>One msgpack map as bytes and back, with the protocol's bounds. Knows no message.</summary>
    /// <remarks>
    /// Maps are Dictionary&lt;string, object&gt;, arrays List&lt;object&gt;, integers long, floats double.
    /// </remarks>
    public static class MsgPack
    {
        internal const int MaxDepth = 16;
        internal const int MaxValues = 20000;
        internal static readonly UTF8Encoding StrictUtf8 = new UTF8Encoding(false, true);

        /// <summary>The bytes of a map. Throws NpcException for a value that the wire cannot carry.</summary>
        public static byte[] Pack(IDictionary<string, object> body)
        {
            var packer = new Packer();
            packer.Write(body, 0);
            return packer.ToArray();
        }

        /// <summary>Read exactly one map. Throws NpcException for anything that the protocol does not allow.</summary>
        public static Dictionary<string, object> Unpack(byte[] data)
        {
            var reader = new Unpacker(data);
            var body = reader.Read(0) as Dictionary<string, object>;
            if (body == null)
                throw NpcException.Protocol("the first frame must be a msgpack map");
            reader.ExpectEnd();
            return body;
        }
    }

    internal sealed class Packer
    {
        private readonly MemoryStream _out = new MemoryStream();
        private int _values;

        internal byte[] ToArray() => _out.ToArray();

        internal void Write(object value, int depth)
        {
            if (depth > MsgPack.MaxDepth)
                throw NpcException.TooLarge("nested deeper than " + MsgPack.MaxDepth, "flatten the value");
            if (++_values > MsgPack.MaxValues)
                throw NpcException.TooLarge("more than " + MsgPack.MaxValues + " values", "send less at once");
            if (value == null)
                _out.WriteByte(0xc0);
            else if (value is bool flag)
                _out.WriteByte(flag ? (byte)0xc3 : (byte)0xc2);
            else if (value is string text)
                WriteText(text);
            else if (value is float || value is double || value is decimal)
                WriteFloat(Convert.ToDouble(value));
            else if (value is IDictionary<string, object> map)
                WriteMap(map, depth);
            else if (value is ulong big && big > long.MaxValue)
                throw NpcException.Protocol("the integer " + big + " does not fit 64 bits, signed");
            else if (value is int || value is long || value is short || value is byte || value is uint
                     || value is ulong || value is ushort || value is sbyte)
                WriteInteger(Convert.ToInt64(value));
            else if (value is IEnumerable items && !(value is byte[]) && !(value is IDictionary))
                WriteArray(items, depth);
            else
                throw NpcException.Protocol(value.GetType().Name + " cannot go over the wire",
                    "null, bool, integers, floats, string, List and Dictionary<string, object> can");
        }

        private void WriteMap(IDictionary<string, object> map, int depth)
        {
            WriteCount(map.Count, 0x80, 15, 0xde);
            foreach (var pair in map)
            {
                WriteText(pair.Key);
                Write(pair.Value, depth + 1);
            }
        }

        private void WriteArray(IEnumerable items, int depth)
        {
            var list = new List<object>();
            foreach (var item in items)
                list.Add(item);
            WriteCount(list.Count, 0x90, 15, 0xdc);
            foreach (var item in list)
                Write(item, depth + 1);
        }

        private void WriteText(string text)
        {
            byte[] data;
            try
            {
                data = MsgPack.StrictUtf8.GetBytes(text);
            }
            catch (EncoderFallbackException)
            {
                throw NpcException.Protocol("the text has half a surrogate pair", "text must be valid Unicode");
            }
            if (data.Length < 32)
                _out.WriteByte((byte)(0xa0 | data.Length));
            else if (data.Length < 256)
                Tagged(0xd9, (ulong)data.Length, 1);
            else
                Tagged(data.Length < 65536 ? (byte)0xda : (byte)0xdb, (ulong)data.Length, data.Length < 65536 ? 2 : 4);
            _out.Write(data, 0, data.Length);
        }

        private void WriteFloat(double value)
        {
            if (double.IsNaN(value) || double.IsInfinity(value))
                throw NpcException.Protocol("the float " + value + " cannot go over the wire", "send a finite one");
            Tagged(0xcb, (ulong)BitConverter.DoubleToInt64Bits(value), 8);
        }

        private void WriteInteger(long value)
        {
            if (value >= -32 && value < 128)
                _out.WriteByte((byte)value);
            else if (value >= short.MinValue && value <= short.MaxValue)
                Tagged(0xd1, (ulong)value, 2);
            else if (value >= int.MinValue && value <= int.MaxValue)
                Tagged(0xd2, (ulong)value, 4);
            else
                Tagged(0xd3, (ulong)value, 8);
        }

        private void WriteCount(int count, byte small, int most, byte tag16)
        {
            if (count <= most)
                _out.WriteByte((byte)(small | count));
            else
                Tagged(count < 65536 ? tag16 : (byte)(tag16 + 1), (ulong)count, count < 65536 ? 2 : 4);
        }

        private void Tagged(byte tag, ulong value, int width)
        {
            _out.WriteByte(tag);
            for (var shift = 8 * (width - 1); shift >= 0; shift -= 8)
                _out.WriteByte((byte)(value >> shift));
        }
    }

    internal sealed class Unpacker
    {
        private readonly byte[] _data;
        private int _at;
        private int _values;

        internal Unpacker(byte[] data)
        {
            _data = data;
        }

        internal void ExpectEnd()
        {
            if (_at != _data.Length)
                throw NpcException.Protocol((_data.Length - _at) + " bytes stand after the map");
        }

        internal object Read(int depth)
        {
            if (depth > MsgPack.MaxDepth)
                throw NpcException.Protocol("nested deeper than " + MsgPack.MaxDepth);
            if (++_values > MsgPack.MaxValues)
                throw NpcException.Protocol("more than " + MsgPack.MaxValues + " values");
            int tag = Take(1)[0];
            if (tag < 0x80)
                return (long)tag;
            if (tag < 0x90)
                return ReadMap(tag & 0x0f, depth);
            if (tag < 0xa0)
                return ReadArray(tag & 0x0f, depth);
            if (tag < 0xc0)
                return ReadText(tag & 0x1f);
            if (tag >= 0xe0)
                return (long)(sbyte)tag;
            return ReadTagged(tag, depth);
        }

        private object ReadTagged(int tag, int depth)
        {
            switch (tag)
            {
                case 0xc0: return null;
                case 0xc2: return false;
                case 0xc3: return true;
                case 0xca: return Finite(BitConverter.ToSingle(Reversed(4), 0));
                case 0xcb: return Finite(BitConverter.Int64BitsToDouble((long)Number(8)));
                case 0xcc: return (long)Number(1);
                case 0xcd: return (long)Number(2);
                case 0xce: return (long)Number(4);
                case 0xcf: return Signed(Number(8));
                case 0xd0: return (long)(sbyte)Number(1);
                case 0xd1: return (long)(short)Number(2);
                case 0xd2: return (long)(int)Number(4);
                case 0xd3: return (long)Number(8);
                case 0xd9: return ReadText((long)Number(1));
                case 0xda: return ReadText((long)Number(2));
                case 0xdb: return ReadText((long)Number(4));
                case 0xdc: return ReadArray((long)Number(2), depth);
                case 0xdd: return ReadArray((long)Number(4), depth);
                case 0xde: return ReadMap((long)Number(2), depth);
                case 0xdf: return ReadMap((long)Number(4), depth);
                default: throw NpcException.Protocol("msgpack type 0x" + tag.ToString("x2") + " is not allowed");
            }
        }

        private Dictionary<string, object> ReadMap(long count, int depth)
        {
            var map = new Dictionary<string, object>();
            for (long i = 0; i < count; i++)
            {
                // the values are counted as they come, so that a count of four billion costs nothing
                if (!(Read(depth + 1) is string key))
                    throw NpcException.Protocol("a key is no string");
                if (map.ContainsKey(key))
                    throw NpcException.Protocol("a key stands twice in one map");
                _values--;
                map.Add(key, Read(depth + 1));
            }
            return map;
        }

        private List<object> ReadArray(long count, int depth)
        {
            var list = new List<object>();
            for (long i = 0; i < count; i++)
                list.Add(Read(depth + 1));
            return list;
        }

        private string ReadText(long count)
        {
            var piece = Take(count);
            try
            {
                return MsgPack.StrictUtf8.GetString(piece);
            }
            catch (ArgumentException)
            {
                throw NpcException.Protocol("a text is no UTF-8");
            }
        }

        private static long Signed(ulong value)
        {
            if (value > long.MaxValue)
                throw NpcException.Protocol("an integer does not fit 64 bits, signed");
            return (long)value;
        }

        private static double Finite(double value)
        {
            if (double.IsNaN(value) || double.IsInfinity(value))
                throw NpcException.Protocol("a float is not finite");
            return value;
        }

        private ulong Number(int width)
        {
            ulong value = 0;
            foreach (var item in Take(width))
                value = (value << 8) | item;
            return value;
        }

        private byte[] Reversed(int width)
        {
            var piece = Take(width);
            if (BitConverter.IsLittleEndian)
                Array.Reverse(piece);
            return piece;
        }

        private byte[] Take(long count)
        {
            if (count > _data.Length - _at)
                throw NpcException.Protocol("the message is cut short");
            var piece = new byte[count];
            Buffer.BlockCopy(_data, _at, piece, 0, (int)count);
            _at += (int)count;
            return piece;
        }
    }
}
