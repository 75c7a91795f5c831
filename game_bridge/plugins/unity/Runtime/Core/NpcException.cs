using System;

namespace NpcBridge
{
    /// <summary>
    /// What went wrong, with the protocol's code. The server's errors and the client's own look the same.
    /// </summary>
    public sealed class NpcException : Exception
    {
        /// <summary>One of the protocol's codes, or "auth" where the server refused the token.</summary>
        public string Code { get; }

        /// <summary>What to do about it; may be empty.</summary>
        public string Hint { get; }

        /// <summary>Whether the same again may work.</summary>
        public bool IsRetryable { get; }

        /// <summary>Whether the address is right and no program listens there.</summary>
        internal bool IsNobodyThere { get; set; }

        /// <summary>Whether the other side closed the connection.</summary>
        internal bool IsClosed { get; set; }

        public NpcException(string code, string message, string hint = "", bool isRetryable = false)
            : base(message)
        {
            Code = code;
            Hint = hint ?? "";
            IsRetryable = isRetryable;
        }

        public override string ToString()
        {
            return Code + ": " + Message + (Hint.Length > 0 ? " (" + Hint + ")" : "");
        }

        internal static NpcException Protocol(string message, string hint = "")
        {
            return new NpcException("protocol", message, hint);
        }

        internal static NpcException TooLarge(string message, string hint)
        {
            return new NpcException("too_large", message, hint);
        }

        internal static NpcException Lost(string message, string hint = "connect again")
        {
            return new NpcException("connection_lost", message, hint, true);
        }

        internal static NpcException Auth(string message, string hint)
        {
            return new NpcException("auth", message, hint);
        }

        internal static NpcException Of(ServerMessage message)
        {
            return new NpcException(message.Text("code"), message.Text("message"), message.Text("hint"),
                message.Flag("retryable"));
        }
    }
}
