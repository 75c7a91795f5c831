using System.Collections.Generic;

namespace NpcBridge
{
    /// <summary>Something that the NPC wants done. Answer it once with Accept or Refuse, on any thread.</summary>
    public sealed class NpcToolCall
    {
        private readonly Link _link;
        private readonly string _sessionId;
        private readonly object _gate = new object();
        private bool _isAnswered;
        private bool _isAgreed;

        public string CallId { get; }
        public string Name { get; }

        /// <summary>
        /// Valid for the tool's schema: string, long, double, bool, null, List&lt;object&gt; and maps.
        /// </summary>
        public IDictionary<string, object> Arguments { get; }

        /// <summary>Whether the player must be asked first, and Confirm told what they said.</summary>
        public bool NeedsConfirmation { get; }

        internal NpcToolCall(Link link, string sessionId, ServerMessage message)
        {
            _link = link;
            _sessionId = sessionId;
            CallId = message.Text("call_id");
            Name = message.Text("name");
            Arguments = message.Map("arguments");
            NeedsConfirmation = message.Flag("needs_confirmation");
            _isAgreed = !NeedsConfirmation;
        }

        /// <summary>
        /// The game did it; content is for the NPC to read. False where nobody hears it any more, or the player must
        /// agree first.
        /// </summary>
        /// <remarks>Throws NpcException for content that the wire cannot carry; the call is still open then.</remarks>
        public bool Accept(object content = null) => Answer("accepted", content);

        /// <summary>
        /// The game will not; the reason is for the NPC to read. False where nobody hears it any more.
        /// </summary>
        public bool Refuse(string reason) => Answer("refused", reason);

        /// <summary>
        /// What the player said. Agreed, Accept or Refuse must still follow; declined, nothing more. False where the
        /// player need not be asked (any more).
        /// </summary>
        public bool Confirm(bool isAgreed, string reason = "")
        {
            lock (_gate)
            {
                if (_isAnswered || _isAgreed)
                    return false;
                var isTold = _link.Tell(Link.Body("confirm", "session_id", _sessionId, "call_id", CallId, "is_agreed",
                    isAgreed, "reason", reason));
                _isAgreed = isAgreed;
                _isAnswered = !isAgreed;
                return isTold;
            }
        }

        private bool Answer(string status, object content)
        {
            lock (_gate)
            {
                if (_isAnswered || !_isAgreed && status == "accepted")
                    return false;
                var isTold = _link.Tell(Link.Body("tool_result", "session_id", _sessionId, "call_id", CallId, "status",
                    status, "content", content));
                _isAnswered = true;
                return isTold;
            }
        }
    }

    /// <summary>How a call ended: accepted, refused, invalid (it never reached the game) or timeout.</summary>
    public sealed class NpcToolResult
    {
        public string CallId { get; }
        public string Name { get; }
        public string Status { get; }

        /// <summary>What the NPC was told.</summary>
        public object Content { get; }

        internal NpcToolResult(ServerMessage message)
        {
            CallId = message.Text("call_id");
            Name = message.Text("name");
            Status = message.Text("status");
            Content = message.Get("content");
        }
    }
}
