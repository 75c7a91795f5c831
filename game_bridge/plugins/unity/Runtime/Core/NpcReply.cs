using System;
using System.Collections.Generic;
using System.Text;
using System.Threading.Tasks;

namespace NpcBridge
{
    /// <summary>How a reply ended; there is exactly one for each Say.</summary>
    public sealed class NpcReplyEnd
    {
        /// <summary>Null where the reply came to a good end.</summary>
        public NpcException Error { get; }

        /// <summary>All that was said; of a reply that failed, what had come.</summary>
        public string Text { get; }

        /// <summary>What the NPC may say instead, where it failed before a word; may be empty.</summary>
        public string Bark { get; }

        /// <summary>stop, length, cancelled or tool_limit; empty for a reply that failed.</summary>
        public string FinishReason { get; }

        /// <summary>Tokens, as the protocol's usage has them.</summary>
        public IDictionary<string, object> Usage { get; }

        /// <summary>Seconds, as the protocol's timings have them.</summary>
        public IDictionary<string, object> Timings { get; }

        internal NpcReplyEnd(ServerMessage message, string said)
        {
            var isFailed = message.Type == "failed";
            Error = isFailed ? NpcException.Of(message) : null;
            Text = message.Text("text").Length > 0 || !isFailed ? message.Text("text") : said;
            Bark = message.Text("bark");
            FinishReason = message.Text("finish_reason");
            Usage = message.Map("usage");
            Timings = message.Map("timings");
        }
    }

    /// <summary>
    /// One reply while it comes. Its events are raised where the client's are, in order, Ended last and once.
    /// </summary>
    public sealed class NpcReply
    {
        private readonly Link _link;
        private readonly string _sessionId;
        private readonly StringBuilder _said = new StringBuilder();
        private readonly TaskCompletionSource<NpcReplyEnd> _completion =
            new TaskCompletionSource<NpcReplyEnd>(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>A piece of speech; joined they are the text.</summary>
        public event Action<string> TextReceived;

        /// <summary>A whole sentence of what was streamed, with its number from 0.</summary>
        public event Action<int, string> SentenceReceived;

        /// <summary>What the NPC shows and does not say: the text, and "action" or "emotion".</summary>
        public event Action<string, string> EmoteReceived;

        /// <summary>The NPC acts: answer the call, at once or later. Refused where nobody listens.</summary>
        public event Action<NpcToolCall> ToolCalled;

        /// <summary>How a call ended.</summary>
        public event Action<NpcToolResult> ToolSettled;

        /// <summary>Something that a developer should know: code, subject, message.</summary>
        public event Action<string, string, string> Noticed;

        /// <summary>The value that was asked for with a JsonSchema.</summary>
        public event Action<object> StructuredReceived;

        /// <summary>The end, good or bad.</summary>
        public event Action<NpcReplyEnd> Ended;

        public string RequestId { get; }

        /// <summary>What the events have told so far.</summary>
        public string Text => _said.ToString();

        /// <summary>The end, after Ended was raised; this task never fails. With a Dispatcher it needs Pump.</summary>
        public Task<NpcReplyEnd> Completion => _completion.Task;

        public bool IsEnded { get; private set; }

        internal NpcReply(Link link, string sessionId, string requestId)
        {
            _link = link;
            _sessionId = sessionId;
            RequestId = requestId;
        }

        /// <summary>
        /// Ask for the end: Ended follows with the text so far. Nothing happens once the reply has ended.
        /// </summary>
        public void Cancel()
        {
            _link.Cancel(RequestId);
        }

        /// <summary>The whole text. Throws the NpcException of a reply that failed.</summary>
        public async Task<string> ReadAsync()
        {
            var end = await Completion.ConfigureAwait(false);
            if (end.Error != null)
                throw end.Error;
            return end.Text;
        }

        /// <summary>What to ask of the server for this reply: barks, and what somebody listens to.</summary>
        internal List<object> Wants(SayOptions options, ICollection<string> capabilities)
        {
            var wants = new List<object>();
            if (EmoteReceived != null && capabilities.Contains("emotes"))
                wants.Add("emotes");
            if (options.CanConfirm && capabilities.Contains("confirm"))
                wants.Add("confirm");
            if (Noticed != null && capabilities.Contains("notices"))
                wants.Add("notices");
            if (capabilities.Contains("barks"))
                wants.Add("barks");
            return wants;
        }

        internal void Apply(ServerMessage message)
        {
            if (IsEnded)
                return;
            switch (message.Type)
            {
                case "text":
                    _said.Append(message.Text("text"));
                    TextReceived?.Invoke(message.Text("text"));
                    break;
                case "sentence":
                    SentenceReceived?.Invoke((int)message.Integer("index"), message.Text("text"));
                    break;
                case "emote":
                    EmoteReceived?.Invoke(message.Text("text"), message.Text("kind"));
                    break;
                case "tool_call":
                    Call(new NpcToolCall(_link, _sessionId, message));
                    break;
                case "tool_settled":
                    ToolSettled?.Invoke(new NpcToolResult(message));
                    break;
                case "notice":
                    Noticed?.Invoke(message.Text("code"), message.Text("subject"), message.Text("message"));
                    break;
                case "structured":
                    StructuredReceived?.Invoke(message.Get("value"));
                    break;
                default:
                    End(new NpcReplyEnd(message, Text));
                    break;
            }
        }

        private void Call(NpcToolCall call)
        {
            if (ToolCalled != null)
                ToolCalled(call);
            else if (call.Refuse("the game does not know how"))
                _link.Log("nobody listens to ToolCalled: " + call.Name + " was refused");
        }

        private void End(NpcReplyEnd end)
        {
            IsEnded = true;
            try
            {
                Ended?.Invoke(end);
            }
            finally
            {
                _completion.TrySetResult(end);
            }
        }
    }
}
