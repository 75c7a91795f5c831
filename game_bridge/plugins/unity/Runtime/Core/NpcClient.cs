using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace NpcBridge
{
    /// <summary>Where a client stands with its server.</summary>
    public enum NpcConnectionState
    {
        Closed,
        Connecting,
        Connected,
        Reconnecting,
    }

    /// <summary>
    /// A game's connection to the NPCs. May be used from several threads; none of its calls waits for the socket.
    /// </summary>
    public sealed partial class NpcClient : IDisposable, IEventSink
    {
        private const int DisposeMs = 700;
        private const double ByeS = 0.7;
        private const double FirstPauseS = 0.3;

        private readonly object _gate = new object();
        private readonly NpcClientOptions _options;
        private readonly ManualResetEvent _closing = new ManualResetEvent(false);
        private TaskCompletionSource<NpcWelcome> _welcomed = NewSource();
        private volatile Link _link;
        private Thread _thread;
        private bool _isRunning;
        private volatile bool _isClosing;
        private volatile bool _isLeaving;
        private long _lastRequest;

        /// <summary>
        /// The connection came, was lost, or ended for good; the error says why, and is null where the game closed it.
        /// </summary>
        public event Action<NpcConnectionState, NpcException> StateChanged;

        /// <summary>The connection broke and is made anew: what is open goes on, or the state changes.</summary>
        public event Action<NpcException> Interrupted;

        /// <summary>It goes on, and nothing was lost.</summary>
        public event Action Resumed;

        /// <summary>The world's files were edited; the map is the message. Needs NpcClientOptions.WantsEdits.</summary>
        public event Action<IDictionary<string, object>> Edited;

        public NpcConnectionState State { get; private set; }

        /// <summary>What the server said last of itself; null before the first connection.</summary>
        public NpcWelcome Welcome { get; private set; }

        public NpcClient(NpcClientOptions options = null)
        {
            _options = options ?? new NpcClientOptions();
        }

        /// <summary>Connect, or wait until a lost connection is there again.</summary>
        /// <remarks>
        /// Throws NpcException: auth for a wrong token, connection_lost where nobody answers, version, overloaded.
        /// </remarks>
        public async Task<NpcWelcome> ConnectAsync(CancellationToken cancel = default(CancellationToken))
        {
            Task<NpcWelcome> welcomed;
            lock (_gate)
            {
                if (_isClosing)
                    throw new ObjectDisposedException(nameof(NpcClient));
                if (!_isRunning)
                {
                    _isRunning = true;
                    if (_welcomed.Task.IsCompleted)
                        _welcomed = NewSource();
                    _thread = OwnThread.Start("npc-read", Run);
                }
                welcomed = _welcomed.Task;
            }
            using (var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancel))
            {
                var late = Task.Delay(_options.ConnectTimeout + TimeSpan.FromSeconds(0.5), giveUp.Token);
                var first = await Task.WhenAny(welcomed, late).ConfigureAwait(false);
                giveUp.Cancel();
                if (first == welcomed)
                    return await welcomed.ConfigureAwait(false);
                cancel.ThrowIfCancellationRequested();
                throw NpcException.Lost("the server did not come back in time", "try again later");
            }
        }

        /// <summary>Say bye, wait a moment for the goodbye, and close.</summary>
        public async Task CloseAsync()
        {
            var link = _link;
            _isLeaving = true;
            try
            {
                if (link != null)
                    await link.Ask(Link.Body("bye"), "goodbye", ByeS, CancellationToken.None).ConfigureAwait(false);
            }
            catch (NpcException error)
            {
                Log("no goodbye: " + error.Message);
            }
            await Task.Run(() => Dispose()).ConfigureAwait(false);
        }

        /// <summary>
        /// Close at once: everything open ends with connection_lost. Returns within a second. Can be repeated.
        /// </summary>
        public void Dispose()
        {
            Thread thread;
            lock (_gate)
            {
                _isClosing = true;
                _closing.Set();
                thread = _thread;
            }
            _link?.Break(NpcException.Lost("the client was closed"));
            // from one of its own handlers the thread cannot wait for itself; it ends when the handler returns
            if (thread != null && thread != Thread.CurrentThread && !thread.Join(DisposeMs))
                Log("a handler of an event does not return; the thread ends when it does");
            var dispatcher = _options.Dispatcher;
            if (dispatcher != null && dispatcher.IsOwnThread)
                dispatcher.Pump();
        }

        private bool IsOver => _isClosing || _isLeaving;

        internal string NextRequestId()
        {
            return "q-" + Interlocked.Increment(ref _lastRequest);
        }

        internal Task<ServerMessage> Ask(Link link, Dictionary<string, object> body, string answer,
            CancellationToken cancel)
        {
            return link.Ask(body, answer, _options.AnswerTimeout.TotalSeconds, cancel);
        }

        internal void Hint(string capability, Dictionary<string, object> body)
        {
            var link = _link;
            if (link != null && link.Welcome.Capabilities.Contains(capability))
                link.Tell(body, false);
        }

        void IEventSink.Log(string line) => Log(line);

        void IEventSink.Post(Action action) => Post(action);

        void IEventSink.OnInterrupted(NpcException error) => Post(() => Interrupted?.Invoke(error));

        void IEventSink.OnResumed()
        {
            Welcome = _link?.Welcome ?? Welcome;
            Post(() => Resumed?.Invoke());
        }

        void IEventSink.OnEdited(ServerMessage message)
        {
            if (message.List("npcs").Count > 0)
                Welcome = Welcome.WithNpcs(message.Npcs());
            Post(() => Edited?.Invoke(message.Body));
        }

        internal void Post(Action action)
        {
            Action guarded = () => Guard(action);
            if (_options.Dispatcher != null)
                _options.Dispatcher.Post(guarded);
            else
                guarded();
        }

        private void Log(string line)
        {
            _options.Log?.Invoke(line);
        }

        private void Guard(Action action)
        {
            try
            {
                action();
            }
            catch (Exception problem)
            {
                // the game's mistake in its own handler is not the connection's
                Log("a handler failed: " + problem);
            }
        }

        private Link Linked()
        {
            return _link ?? throw NpcException.Lost("there is no connection", "wait for ConnectAsync");
        }

        private Link Able(string capability)
        {
            var link = Linked();
            if (!link.Welcome.Capabilities.Contains(capability))
                throw new NpcException("unsupported", "the server does not know " + capability,
                    "it is older than this client");
            return link;
        }

        private void Run()
        {
            try
            {
                var error = KeepConnected();
                Finish(error);
            }
            catch (Exception problem) when (!(problem is ThreadAbortException))
            {
                // nothing above may throw; if it does, nobody is left waiting
                Finish(new NpcException("bridge", "the client failed: " + problem));
            }
        }

        private NpcException KeepConnected()
        {
            var deadline = Clock.Now + _options.ConnectTimeout.TotalSeconds;
            var backOff = new BackOff(_options);
            var refusals = 0;
            Change(NpcConnectionState.Connecting, null);
            while (true)
            {
                // a reconnection has no deadline as a whole, but each attempt has
                var isFirst = Welcome == null || State == NpcConnectionState.Connecting;
                var error = Once(isFirst ? deadline : Clock.Now + _options.ConnectTimeout.TotalSeconds, backOff);
                var wasConnected = State == NpcConnectionState.Connected;
                refusals = error.Code == "auth" ? refusals + 1 : 0;
                if (IsOver || !_options.Reconnects && wasConnected || IsFinal(error, isFirst, refusals))
                    return error;
                if (!wasConnected && isFirst && Clock.Now > deadline)
                    return error;
                if (wasConnected)
                    Change(NpcConnectionState.Reconnecting, error);
                // a game that waits for its first connection wants it soon after the server is there
                var pause = isFirst ? Math.Min(FirstPauseS, backOff.Take()) : backOff.Take();
                if (_closing.WaitOne(TimeSpan.FromSeconds(pause)))
                    return NpcException.Lost("the client was closed");
            }
        }

        private bool IsFinal(NpcException error, bool isFirst, int refusals)
        {
            if (error.Code == "auth")
                return !error.IsRetryable && !NpcToken.MayChange(_options) || isFirst && refusals > 1;
            return error.Code == "version" || isFirst && !error.IsRetryable && State != NpcConnectionState.Connected;
        }

        private NpcException Once(double deadline, BackOff backOff)
        {
            var link = new Link(_options, this, () => _isClosing);
            NpcException error = null;
            try
            {
                link.Open(deadline);
                backOff.Began();
                Adopt(link);
                error = link.Serve();
            }
            catch (NpcException problem)
            {
                error = problem;
            }
            finally
            {
                Unlink();
                link.End(error ?? new NpcException("bridge", "the client failed"));
            }
            backOff.Ended();
            return error;
        }

        private void Adopt(Link link)
        {
            TaskCompletionSource<NpcWelcome> welcomed;
            lock (_gate)
            {
                Welcome = link.Welcome;
                _link = link;
                welcomed = _welcomed;
            }
            Change(NpcConnectionState.Connected, null);
            welcomed.TrySetResult(link.Welcome);
        }

        private void Unlink()
        {
            lock (_gate)
            {
                _link = null;
                if (_welcomed.Task.IsCompleted && !_isClosing)
                    _welcomed = NewSource();
            }
        }

        private void Finish(NpcException error)
        {
            Change(NpcConnectionState.Closed, IsOver ? null : error);
            lock (_gate)
            {
                _isRunning = false;
                _welcomed.TrySetException(error);
            }
        }

        private void Change(NpcConnectionState state, NpcException error)
        {
            if (State == state)
                return;
            State = state;
            Post(() => StateChanged?.Invoke(state, error));
        }

        private static TaskCompletionSource<NpcWelcome> NewSource()
        {
            return new TaskCompletionSource<NpcWelcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
