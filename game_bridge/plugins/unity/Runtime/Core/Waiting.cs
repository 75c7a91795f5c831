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

        internal CancellationTokenRegistration Cancelling { get; set; }

        internal Task<ServerMessage> Task => _source.Task;

        internal Asking(string answer, double deadline)
        {
            _answer = answer;
            Deadline = deadline;
        }

        internal void Settle(ServerMessage message)
        {
            if (message.Type == _answer)
                End(_source.TrySetResult(message));
            else
                Fail(NpcException.Protocol("the server answered with " + message.Type + ", not " + _answer));
        }

        internal void Fail(NpcException error) => End(_source.TrySetException(error));

        internal void Cancel() => _source.TrySetCanceled();

        private void End(bool isFirst)
        {
            if (isFirst)
                Cancelling.Dispose();
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
