using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace NpcBridge.Conformance
{
    /// <summary>Reads JSON into the values that MsgPack has. For the golden frames only: it trusts its file.</summary>
    internal sealed class Json
    {
        private readonly string _text;
        private int _at;

        private Json(string text)
        {
            _text = text;
        }

        internal static object Read(string text) => new Json(text).Value();

        private object Value()
        {
            switch (Peek())
            {
                case '{': return Map();
                case '[': return Array();
                case '"': return Text();
                case 't': return Word("true", true);
                case 'f': return Word("false", false);
                case 'n': return Word("null", null);
                default: return Number();
            }
        }

        private char Peek()
        {
            while (char.IsWhiteSpace(_text[_at]) || _text[_at] == ',' || _text[_at] == ':')
                _at++;
            return _text[_at];
        }

        private object Word(string word, object value)
        {
            _at += word.Length;
            return value;
        }

        private Dictionary<string, object> Map()
        {
            var map = new Dictionary<string, object>();
            for (_at++; Peek() != '}';)
                map.Add(Text(), Value());
            _at++;
            return map;
        }

        private List<object> Array()
        {
            var list = new List<object>();
            for (_at++; Peek() != ']';)
                list.Add(Value());
            _at++;
            return list;
        }

        private string Text()
        {
            var text = new StringBuilder();
            for (_at++; _text[_at] != '"'; _at++)
                text.Append(_text[_at] == '\\' ? Escaped() : _text[_at]);
            _at++;
            return text.ToString();
        }

        private char Escaped()
        {
            var mark = _text[++_at];
            if (mark == 'u')
            {
                _at += 4;
                return (char)Convert.ToInt32(_text.Substring(_at - 3, 4), 16);
            }
            var index = "nrtbf".IndexOf(mark);
            return index < 0 ? mark : "\n\r\t\b\f"[index];
        }

        private object Number()
        {
            var from = _at;
            while (_at < _text.Length && "+-.eE0123456789".IndexOf(_text[_at]) >= 0)
                _at++;
            var digits = _text.Substring(from, _at - from);
            if (digits.IndexOfAny(new[] { '.', 'e', 'E' }) >= 0)
                return double.Parse(digits, CultureInfo.InvariantCulture);
            return long.Parse(digits, CultureInfo.InvariantCulture);
        }
    }
}
