using System.Collections.Generic;

namespace NpcBridge
{
    /// <summary>One message of the server, checked against the protocol's tables. Knows no socket.</summary>
    public sealed class ServerMessage
    {
        // "name:kind" must come, "name?kind" may; s text, i integer, f number, b boolean, m map, a array, v anything
        private static readonly Dictionary<string, string> Tables = new Dictionary<string, string>
        {
            { "welcome", "ref?i protocol:i server:s capabilities:a limits:m npcs:a pronunciations?m "
                + "resume?s resume_s?f resumed?b heard?i" },
            { "talking", "ref?i session_id:s npc_id:s greeting:s" },
            { "left", "ref?i session_id:s" },
            { "session_list", "ref?i sessions:a" },
            { "state_ok", "ref?i" },
            { "noted", "ref?i" },
            { "learned", "ref?i entry_id:s" },
            { "felt", "ref?i mood:s relation:m" },
            { "edited", "ref?i changed?a added?a removed?a npcs?a mistakes?a" },
            { "figures", "ref?i name:s device:s bridge:m engine:m batches:a cache:m governor:m requests:a" },
            { "pong", "ref?i" },
            { "error", "ref?i code:s message:s hint?s retryable?b" },
            { "goodbye", "ref?i reason:s" },
            { "text", "request_id:s text:s" },
            { "sentence", "request_id:s index:i text:s" },
            { "emote", "request_id:s text:s kind:s" },
            { "structured", "request_id:s value?v" },
            { "tool_call", "request_id:s call_id:s name:s arguments:m needs_confirmation?b" },
            { "tool_settled", "request_id:s call_id:s name:s status:s content?v" },
            { "notice", "request_id:s code:s subject:s message:s" },
            { "finished", "request_id:s text:s finish_reason:s usage?m timings?m" },
            { "failed", "request_id:s code:s message:s hint?s retryable?b text?s bark?s" },
        };
        private const string LimitsTable = "max_body_bytes?i max_images?i max_image_bytes?i max_sessions?i "
            + "max_requests?i heartbeat_s?f idle_s?f reply_timeout_s?f";
        private const string NpcTable = "npc_id:s name:s";
        private const string SessionTable = "session_id:s npc_id:s player:s request_id?s";

        /// <summary>The map as it came.</summary>
        public Dictionary<string, object> Body { get; }

        internal string Type => Text("type");

        private ServerMessage(Dictionary<string, object> body)
        {
            Body = body;
        }

        /// <summary>Read the frames of one message. Throws NpcException for what the protocol does not allow.</summary>
        public static ServerMessage Read(IList<byte[]> frames)
        {
            if (frames.Count != 1)
                throw NpcException.Protocol("a server's message has one frame, " + frames.Count + " came");
            var body = MsgPack.Unpack(frames[0]);
            if (!body.TryGetValue("type", out var type) || !(type is string name) || !Tables.ContainsKey(name))
                throw NpcException.Protocol("the message is of no type that a server sends");
            Check(name, body, "type:s " + Tables[name]);
            if (name == "welcome")
                Check("limits", (Dictionary<string, object>)body["limits"], LimitsTable);
            if (name == "welcome" || name == "edited")
                CheckEach(body, "npcs", NpcTable);
            if (name == "session_list")
                CheckEach(body, "sessions", SessionTable);
            return new ServerMessage(body);
        }

        /// <summary>A message that the client makes up for itself, when no server can any more.</summary>
        internal static ServerMessage Failed(string requestId, NpcException error)
        {
            return new ServerMessage(new Dictionary<string, object>
            {
                { "type", "failed" }, { "request_id", requestId }, { "code", error.Code },
                { "message", error.Message }, { "hint", error.Hint }, { "retryable", error.IsRetryable },
            });
        }

        internal string Text(string name) => Get(name) as string ?? "";

        internal bool Flag(string name) => Get(name) is bool flag && flag;

        internal long? Ref => Get("ref") is long number ? number : (long?)null;

        internal long Integer(string name) => Get(name) is long number ? number : 0;

        internal object Get(string name) => Body.TryGetValue(name, out var value) ? value : null;

        internal Dictionary<string, object> Map(string name)
        {
            return Get(name) as Dictionary<string, object> ?? new Dictionary<string, object>();
        }

        internal List<object> List(string name) => Get(name) as List<object> ?? new List<object>();

        /// <summary>The NPCs of a welcome or an edited, id to name.</summary>
        internal Dictionary<string, string> Npcs()
        {
            var npcs = new Dictionary<string, string>();
            foreach (Dictionary<string, object> npc in List("npcs"))
                npcs[(string)npc["npc_id"]] = (string)npc["name"];
            return npcs;
        }

        private static void CheckEach(Dictionary<string, object> body, string name, string table)
        {
            if (!body.TryGetValue(name, out var list) || list == null)
                return;
            foreach (var item in (List<object>)list)
            {
                if (!(item is Dictionary<string, object> entry))
                    throw NpcException.Protocol(name + ": an entry is no map");
                Check(name, entry, table);
            }
        }

        private static void Check(string where, Dictionary<string, object> map, string table)
        {
            var known = 0;
            foreach (var field in table.Split(' '))
            {
                var mark = field.Length - 2;
                var name = field.Substring(0, mark);
                var isThere = map.TryGetValue(name, out var value);
                known += isThere ? 1 : 0;
                if (value == null ? field[mark] == ':' : !IsKind(value, field[mark + 1]))
                    throw NpcException.Protocol(where + "." + name + (isThere ? " is of another type" : " is missing"));
            }
            if (known != map.Count)
                throw NpcException.Protocol(where + " has a field that this version does not know");
        }

        private static bool IsKind(object value, char kind)
        {
            switch (kind)
            {
                case 's': return value is string;
                case 'i': return value is long;
                case 'f': return value is double || value is long;
                case 'b': return value is bool;
                case 'm': return value is Dictionary<string, object>;
                case 'a': return value is List<object>;
                default: return true;
            }
        }
    }
}
