using System;
using System.Threading;
using System.Threading.Tasks;

namespace NpcBridge
{
    /// <summary>Somebody who waits for an answer.</summary>
    internal sealed class Asking
    {
        private readonly TaskCompletionSource<ServerMessage> _source =
            new TaskCompletionSource<ServerMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly string _answer;

        internal readonly double Deadline;

        /// <summary>The question's number among the messages of its connection; 0 where none is kept.</summary>
        internal long Sent { get; set; }

        /// <summary>Whether it is to be done also where nobody waits for it: what is to end shall end.</summary>
        internal bool IsStillMeant => _answer == "left" || _answer == "goodbye";

        internal CancellationTokenRegistration Cancelling { get; set; }

        internal Task<ServerMessage> Task => _source.Task;

        internal Asking(string answer, double deadline)
        {
            _answer = answer;
            Deadline = deadline;
        }

        /// <summary>Whether somebody has the answer now; a cancellation may have been faster.</summary>
        internal bool Settle(ServerMessage message)
        {
            if (message.Type == _answer)
                return End(_source.TrySetResult(message));
            return Fail(NpcException.Protocol("the server answered with " + message.Type + ", not " + _answer));
        }

        internal bool Fail(NpcException error) => End(_source.TrySetException(error));

        internal void Cancel() => _source.TrySetCanceled();

        private bool End(bool isFirst)
        {
            if (isFirst)
                Cancelling.Dispose();
            return isFirst;
        }
    }

    /// <summary>A reply that has not ended.</summary>
    internal sealed class OpenReply
    {
        internal readonly NpcReply Reply;
        internal readonly long Ref;
        internal double Deadline;

        internal OpenReply(NpcReply reply, long number, double deadline)
        {
            Reply = reply;
            Ref = number;
            Deadline = deadline;
        }
    }

    /// <summary>What a connection tells its client.</summary>
    internal interface IEventSink
    {
        void Post(Action action);

        void Log(string line);

        void OnEdited(ServerMessage message);

        void OnInterrupted(NpcException error);

        void OnResumed();
    }
}
