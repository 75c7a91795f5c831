using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace NpcBridge
{
    /// <summary>A conversation that a connection has open.</summary>
    public sealed class NpcSessionEntry
    {
        public string SessionId { get; }
        public string NpcId { get; }
        public string Player { get; }

        /// <summary>Of the reply that is under way; null where none is.</summary>
        public string RequestId { get; }

        internal NpcSessionEntry(IDictionary<string, object> entry)
        {
            SessionId = (string)entry["session_id"];
            NpcId = (string)entry["npc_id"];
            Player = (string)entry["player"];
            RequestId = entry.TryGetValue("request_id", out var id) ? id as string : null;
        }
    }

    /// <summary>One player talking to one NPC. Belongs to one connection: after a loss, talk again.</summary>
    public sealed class NpcSession
    {
        private readonly NpcClient _client;

        internal Link Link { get; }

        public string SessionId { get; }
        public string NpcId { get; }
        public string Player { get; }

        /// <summary>The NPC's first words; may be empty.</summary>
        public string Greeting { get; }

        /// <summary>Whether its connection is still there.</summary>
        public bool IsOpen => !Link.IsLost;

        internal NpcSession(NpcClient client, Link link, ServerMessage talking, string player)
        {
            _client = client;
            Link = link;
            Player = player;
            SessionId = talking.Text("session_id");
            NpcId = talking.Text("npc_id");
            Greeting = talking.Text("greeting");
        }

        /// <summary>
        /// The player speaks. listen may subscribe to the reply's events before the first of them can come.
        /// </summary>
        /// <remarks>Throws nothing for what can go wrong: the reply then ends with the error.</remarks>
        public NpcReply Say(string text, Action<NpcReply> listen = null, SayOptions options = null)
        {
            if (text == null)
                throw new ArgumentNullException(nameof(text));
            options = options ?? new SayOptions();
            var reply = new NpcReply(Link, SessionId, _client.NextRequestId());
            listen?.Invoke(reply);
            try
            {
                Check(options);
                Link.Say(reply, Body(reply, text, options), options);
            }
            catch (NpcException error)
            {
                _client.Post(() => reply.Apply(ServerMessage.Failed(reply.RequestId, error)));
            }
            return reply;
        }

        /// <summary>All of the player's words so far: the reply is there sooner. Never fails.</summary>
        public void Typing(string text)
        {
            _client.Hint("typing", Link.Body("typing", "session_id", SessionId, "text", text));
        }

        /// <summary>End the conversation; a reply still open ends as cancelled.</summary>
        public async Task LeaveAsync(CancellationToken cancel = default(CancellationToken))
        {
            var body = Link.Body("leave", "session_id", SessionId);
            await _client.Ask(Link, body, "left", cancel).ConfigureAwait(false);
        }

        private void Check(SayOptions options)
        {
            Need(options.StartByS != null, "start_by");
            Need(options.ToolChoice != null, "tool_choice");
            Need(options.JsonSchema != null, "structured");
        }

        private void Need(bool isAsked, string capability)
        {
            if (isAsked && !Link.Welcome.Capabilities.Contains(capability))
                throw new NpcException("unsupported", "the server does not know " + capability,
                    "it is older than this client");
        }

        private Dictionary<string, object> Body(NpcReply reply, string text, SayOptions options)
        {
            var body = Link.Body("say", "request_id", reply.RequestId, "session_id", SessionId, "text", text,
                "priority", options.Priority, "timeout_s", options.TimeoutS, "start_by_s", options.StartByS,
                "tool_choice", options.ToolChoice, "json_schema", options.JsonSchema);
            var types = new List<object>();
            foreach (var picture in options.Pictures)
                types.Add(picture.MediaType);
            if (types.Count > 0)
                body["images"] = types;
            var wants = reply.Wants(options, Link.Welcome.Capabilities);
            if (wants.Count > 0)
                body["wants"] = wants;
            return body;
        }
    }
}
