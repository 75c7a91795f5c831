using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace NpcBridge
{
    /// <summary>
    /// One connection from its welcome to its end, at which everything open in it ends once. Its line may break and
    /// be made anew meanwhile.
    /// </summary>
    /// <remarks>Open, Serve and End belong to the client's thread; all else may be called from any.</remarks>
    internal sealed partial class Link
    {
        private const double CancelGraceS = 10;
        private const double ReplyGraceS = 5;

        private readonly object _gate = new object();
        private readonly Dictionary<long, Asking> _asked = new Dictionary<long, Asking>();
        private readonly Dictionary<string, OpenReply> _replies = new Dictionary<string, OpenReply>();
        private readonly Ledger _ledger = new Ledger();
        private readonly NpcClientOptions _options;
        private readonly IEventSink _sink;
        private readonly Func<bool> _isClosing;
        private Line _line;
        private NpcException _lost;
        private bool _isInterrupted;
        private volatile bool _isEnded;
        private long _lastRef;

        internal NpcWelcome Welcome { get; private set; }

        internal bool IsLost => Volatile.Read(ref _lost) != null;

        private bool IsStopped => IsLost || _isClosing();

        internal Link(NpcClientOptions options, IEventSink sink, Func<bool> isClosing)
        {
            _options = options;
            _sink = sink;
            _isClosing = isClosing;
        }

        /// <summary>Read until the connection is lost, and say why.</summary>
        internal NpcException Serve()
        {
            while (!IsStopped)
            {
                try
                {
                    Step();
                    Listen();
                }
                catch (NpcException error)
                {
                    ComeBack(error);
                    continue;
                }
                WaitForGame();
                Beat();
            }
            return _lost ?? NpcException.Lost("the client was closed");
        }

        /// <summary>Close the socket and end everything that is open. Can be repeated.</summary>
        internal void End(NpcException error)
        {
            Break(error);
            if (!_isEnded)
                _line?.Close();
            _isEnded = true;
            List<Asking> asked;
            List<OpenReply> replies;
            lock (_gate)
            {
                asked = new List<Asking>(_asked.Values);
                replies = new List<OpenReply>(_replies.Values);
                _asked.Clear();
                _replies.Clear();
            }
            foreach (var asking in asked)
                asking.Fail(_lost);
            foreach (var open in replies)
                Deliver(open.Reply, ServerMessage.Failed(open.Reply.RequestId, _lost));
        }

        /// <summary>The connection is lost from now on; the client's thread does the rest.</summary>
        internal void Break(NpcException error)
        {
            Interlocked.CompareExchange(ref _lost, error, null);
        }

        /// <summary>Send, and wait for the answer of this type. The task fails with NpcException.</summary>
        internal Task<ServerMessage> Ask(Dictionary<string, object> body, string answer, double timeoutS,
            CancellationToken cancel)
        {
            cancel.ThrowIfCancellationRequested(); // before anything is sent: the answer could be quicker than the wait
            var asking = new Asking(answer, Clock.Now + timeoutS);
            long number;
            lock (_gate)
            {
                if (_lost != null || _isEnded)
                    throw Gone();
                number = ++_lastRef;
                body["ref"] = number;
                asking.Sent = Send(body, null);
                _asked[number] = asking;
            }
            if (cancel.CanBeCanceled)
                asking.Cancelling = cancel.Register(() => Cancel(number, asking));
            if (asking.Task.IsCompleted)
                asking.Cancelling.Dispose();
            return asking.Task;
        }

        /// <summary>Send something whose refusal is only logged; false once the connection is lost.</summary>
        internal bool Tell(Dictionary<string, object> body, bool isNumbered = true)
        {
            lock (_gate)
            {
                if (_lost != null || _isEnded)
                    return false;
                if (isNumbered)
                    body["ref"] = ++_lastRef;
                Send(body, null);
                return true;
            }
        }

        /// <summary>Open a reply. Throws NpcException, and then nothing was sent.</summary>
        internal void Say(NpcReply reply, Dictionary<string, object> body, SayOptions options)
        {
            var patience = Math.Min(options.TimeoutS ?? Welcome.ReplyTimeoutS, Welcome.ReplyTimeoutS) + ReplyGraceS;
            lock (_gate)
            {
                if (_lost != null || _isEnded)
                    throw Gone();
                body["ref"] = ++_lastRef;
                Send(body, options.Pictures);
                _replies[reply.RequestId] = new OpenReply(reply, _lastRef, Clock.Now + patience);
            }
        }

        /// <summary>Ask for the end of a reply; false if it has ended.</summary>
        internal bool Cancel(string requestId)
        {
            lock (_gate)
            {
                if (!_replies.TryGetValue(requestId, out var open))
                    return false;
                open.Deadline = Math.Min(open.Deadline, Clock.Now + CancelGraceS);
            }
            return Tell(Body("cancel", "request_id", requestId));
        }

        /// <summary>A message of one or two fields.</summary>
        internal static Dictionary<string, object> Body(string type, params object[] fields)
        {
            var body = new Dictionary<string, object> { { "type", type } };
            for (var i = 0; i < fields.Length; i += 2)
                if (fields[i + 1] != null)
                    body[(string)fields[i]] = fields[i + 1];
            return body;
        }

        private NpcException Gone()
        {
            return NpcException.Lost((_lost ?? NpcException.Lost("the connection ended")).Message);
        }

        /// <summary>The number of the message where it is kept, else 0.</summary>
        private long Send(Dictionary<string, object> body, IList<NpcPicture> pictures)
        {
            var frames = new List<byte[]> { MsgPack.Pack(body) };
            if (Welcome != null && frames[0].Length > Welcome.MaxBodyBytes)
                throw TooLarge("the message", frames[0].Length, Welcome.MaxBodyBytes);
            foreach (var picture in pictures ?? new NpcPicture[0])
                frames.Add(picture.Data);
            CheckPictures(frames);
            var data = Zmtp.Message(frames);
            var number = Welcome?.Resume != null ? _ledger.Note(data) : 0;
            if (!_isInterrupted)
                _line.Add(data);
            return number;
        }

        private void CheckPictures(List<byte[]> frames)
        {
            if (frames.Count > 1 && frames.Count - 1 > Welcome.MaxPictures)
                throw NpcException.TooLarge((frames.Count - 1) + " pictures; " + Welcome.MaxPictures + " are allowed",
                    "send fewer");
            for (var i = 1; i < frames.Count; i++)
                if (frames[i].Length > Welcome.MaxPictureBytes)
                    throw TooLarge("a picture", frames[i].Length, Welcome.MaxPictureBytes);
        }

        private static NpcException TooLarge(string what, int bytes, int most)
        {
            return NpcException.TooLarge(what + " has " + bytes + " bytes; " + most + " are allowed",
                "make it smaller");
        }

        /// <summary>Throws NpcException (connection_lost) where the line broke; all else ends the connection.</summary>
        private void Step()
        {
            var now = Clock.Now;
            try
            {
                _line.Read(Take);
            }
            catch (NpcException error) when (error.Code != "connection_lost")
            {
                Break(error);
            }
            // as of before the look: a game that stood still first hears what came meanwhile
            if (_line.IsReadOut)
                EndLate(now);
        }

        private bool Take(List<byte[]> frames)
        {
            var message = ServerMessage.Read(frames);
            if (message.Type != "welcome")
                _ledger.Heard++;
            try
            {
                Handle(message);
            }
            catch (NpcException error)
            {
                // of a welcome that does not go on: the line is well, the connection is not
                Break(error);
            }
            return !IsLost;
        }

        private void Handle(ServerMessage message)
        {
            if (message.Type == "welcome")
                OnWelcome(message);
            if (message.Get("request_id") is string requestId)
                OnEvent(requestId, message);
            else if (message.Type == "error")
                OnError(message);
            else if (message.Type == "edited")
                _sink.OnEdited(message);
            else
                Settle(message);
            if (message.Type == "goodbye")
                Break(NpcException.Lost("the server said goodbye: " + message.Text("reason")));
        }

        private void OnEvent(string requestId, ServerMessage message)
        {
            OpenReply open;
            lock (_gate)
            {
                if (!_replies.TryGetValue(requestId, out open))
                    return;
                if (message.Type == "finished" || message.Type == "failed")
                    _replies.Remove(requestId);
            }
            Deliver(open.Reply, message);
        }

        private void OnError(ServerMessage message)
        {
            var error = NpcException.Of(message);
            OpenReply refused = null;
            lock (_gate)
            {
                foreach (var open in _replies.Values)
                    if (open.Ref == message.Ref)
                        refused = open;
                if (refused != null)
                    _replies.Remove(refused.Reply.RequestId);
            }
            if (refused != null)
                Deliver(refused.Reply, ServerMessage.Failed(refused.Reply.RequestId, error));
            else if (Take(message.Ref) is Asking asking)
                asking.Fail(error);
            else if (error.Code == "connection_lost")
                Break(error);
            else if (error.Code != "unknown_request")  // a cancel or an answer that crossed the reply's end
                _sink.Log("the server refused a message: " + error);
        }

        private void Settle(ServerMessage message)
        {
            var asking = Take(message.Ref);
            var isHeard = asking != null && asking.Settle(message);
            if (!isHeard && message.Type == "talking")
                // nobody waits for this session any more
                Tell(Body("leave", "session_id", message.Text("session_id")));
        }

        private Asking Take(long? number)
        {
            lock (_gate)
            {
                if (number == null || !_asked.TryGetValue(number.Value, out var asking))
                    return null;
                _asked.Remove(number.Value);
                return asking;
            }
        }

        private void Cancel(long number, Asking asking)
        {
            GiveUp(number);
            asking.Cancel();
        }

        /// <summary>
        /// Nobody waits for this answer any more: a server that did not hear the question hears it no more.
        /// </summary>
        private Asking GiveUp(long number)
        {
            lock (_gate)
            {
                var asking = Take(number);
                if (asking != null && !asking.IsStillMeant)
                    _ledger.Replace(asking.Sent, Zmtp.Message(new[] { MsgPack.Pack(Body("ping", "ref", number)) }));
                return asking;
            }
        }

        internal void Log(string line) => _sink.Log(line);

        private void Deliver(NpcReply reply, ServerMessage message)
        {
            _sink.Post(() => reply.Apply(message));
        }
    }
}
