using System;
using System.Threading.Tasks;
using UnityEngine;

namespace NpcBridge.Unity
{
    /// <summary>
    /// One NPC of the scene: Ask it, and hear its answer through events. Talks again by itself after a loss.
    /// </summary>
    [AddComponentMenu("NPC Bridge/NPC")]
    public sealed class NpcBehaviour : MonoBehaviour
    {
        [SerializeField] private NpcWorldBehaviour world;
        [SerializeField] private string npcId = "";
        [SerializeField] private string player = "Traveller";

        [SerializeField] private NpcTextEvent greeted = new NpcTextEvent();
        [SerializeField] private NpcTextEvent responseUpdated = new NpcTextEvent();
        [SerializeField] private NpcTextEvent sentenceFinished = new NpcTextEvent();
        [SerializeField] private NpcTextEvent responseFinished = new NpcTextEvent();
        [SerializeField] private NpcTextEvent responseFailed = new NpcTextEvent();
        [SerializeField] private NpcTextEvent barked = new NpcTextEvent();
        [SerializeField] private NpcToolEvent toolCalled = new NpcToolEvent();

        private NpcSession _session;
        private NpcReply _reply;
        private bool _isCancelled;
        private NpcWorldBehaviour _heard;
        private int _asks;

        /// <summary>Whom the player talks to; another one from the next Ask on.</summary>
        public string NpcId
        {
            get => npcId;
            set => npcId = value;
        }

        /// <summary>Who talks; another one from the next Ask on.</summary>
        public string Player
        {
            get => player;
            set => player = value;
        }

        /// <summary>The NPC's first words, when the conversation opened.</summary>
        public NpcTextEvent Greeted => greeted;

        /// <summary>A piece of speech came.</summary>
        public NpcTextEvent ResponseUpdated => responseUpdated;

        /// <summary>A whole sentence came.</summary>
        public NpcTextEvent SentenceFinished => sentenceFinished;

        /// <summary>The reply ended well, or was cancelled; all of its text.</summary>
        public NpcTextEvent ResponseFinished => responseFinished;

        /// <summary>The reply ended badly; the error with its code.</summary>
        public NpcTextEvent ResponseFailed => responseFailed;

        /// <summary>What the NPC may say instead of a reply that failed; comes before ResponseFailed.</summary>
        public NpcTextEvent Barked => barked;

        /// <summary>
        /// The NPC wants something done: Accept or Refuse the call. Where nobody listens here or to ReplyStarted, it is
        /// refused.
        /// </summary>
        public NpcToolEvent ToolCalled => toolCalled;

        /// <summary>A reply that begins, for events that are not in the inspector.</summary>
        public event Action<NpcReply> ReplyStarted;

        /// <summary>Whether an Ask has not ended yet; another one is then not taken.</summary>
        public bool IsBusy { get; private set; }

        /// <summary>The player says this. One of ResponseFinished and ResponseFailed follows, once.</summary>
        public void Ask(string text)
        {
            Ask(text, null);
        }

        /// <summary>The same, with pictures or other options.</summary>
        public void Ask(string text, SayOptions options)
        {
            if (IsBusy)
            {
                Debug.LogWarning("NPC bridge: " + npcId + " is still speaking; cancel that first", this);
                return;
            }
            IsBusy = true;
            _isCancelled = false;
            Begin(text, options);
        }

        /// <summary>The player and what the camera sees. Needs a server that takes pictures.</summary>
        public void AskAboutView(string text, Camera view)
        {
            var welcome = Client?.Welcome;
            var isRaw = welcome != null && welcome.Capabilities.Contains("raw_images");
            Ask(text, new SayOptions().With(CameraShot.Take(view, isRaw)));
        }

        /// <summary>Stop speaking; the reply ends with what was said.</summary>
        public void Cancel()
        {
            _isCancelled = IsBusy;
            _reply?.Cancel();
        }

        /// <summary>The player walks up: the first reply is there sooner.</summary>
        public void Approach()
        {
            Client?.Approach(npcId, player);
        }

        // not world?.Client: what is destroyed, or missing in the inspector, is null for == only
        private NpcClient Client => world != null ? world.Client : null;

        private void OnDisable()
        {
            Cancel();
        }

        private void OnDestroy()
        {
            Leave();
        }

        private async void Begin(string text, SayOptions options)
        {
            var ask = ++_asks;
            _heard = world;
            if (_heard != null)
                _heard.Stopped += OnStopped;
            NpcSession session = null;
            var problem = "";
            try
            {
                session = await Session();
            }
            catch (Exception error)
            {
                // whatever it was, also a handler's own mistake: an Ask that began has an end
                problem = error.ToString();
            }
            if (this == null)
                Leave();
            if (ask != _asks)
                return;
            if (session == null)
                Fail(problem);
            else if (_isCancelled)
                Finish("");
            else
                Say(session, text, options);
        }

        private void Say(NpcSession session, string text, SayOptions options)
        {
            try
            {
                _reply = session.Say(text, Listen, options);
            }
            catch (Exception error)
            {
                // of a handler of ReplyStarted: nothing was said
                Fail(error.ToString());
            }
        }

        // after a quit or a reload nothing may go on, neither Begin nor the events of a reply
        private void OnStopped()
        {
            if (IsBusy)
                Fail(new NpcException("connection_lost", "the connection was closed", "", true).ToString());
        }

        private async Task<NpcSession> Session()
        {
            if (_session != null && _session.IsOpen && _session.NpcId == npcId && _session.Player == player)
                return _session;
            Leave();
            var client = Client;
            if (client == null)
                throw new NpcException("connection_lost", "there is no NpcWorldBehaviour that is enabled", "", true);
            await client.ConnectAsync();
            _session = await client.TalkAsync(npcId, player);
            if (_session.Greeting.Length > 0)
                greeted.Invoke(_session.Greeting);
            return _session;
        }

        /// <summary>The conversation ends, so that the server need not keep it.</summary>
        private async void Leave()
        {
            var left = _session;
            _session = null;
            try
            {
                if (left != null && left.IsOpen)
                    await left.LeaveAsync();
            }
            catch (NpcException error)
            {
                if (error.Code != "connection_lost")
                    Debug.LogWarning("NPC bridge: leave: " + error);
            }
        }

        private void Listen(NpcReply reply)
        {
            var ask = _asks;
            reply.TextReceived += piece => Tell(ask, () => responseUpdated.Invoke(piece));
            reply.SentenceReceived += (number, sentence) => Tell(ask, () => sentenceFinished.Invoke(sentence));
            reply.ToolCalled += call => Tell(ask, () => Act(call));
            reply.Ended += end => Tell(ask, () => OnEnded(end));
            ReplyStarted?.Invoke(reply);
        }

        private void Act(NpcToolCall call)
        {
            toolCalled.Invoke(call);
            if (!toolCalled.HasListeners && ReplyStarted == null && call.Refuse("the game does not know how"))
                Debug.LogWarning("NPC bridge: nobody listens to ToolCalled of " + npcId + ": " + call.Name
                    + " was refused", this);
        }

        // what comes after the end that OnStopped gave it is no event any more
        private void Tell(int ask, Action told)
        {
            if (ask == _asks)
                told();
        }

        private void OnEnded(NpcReplyEnd end)
        {
            if (end.Error == null)
            {
                Finish(end.Text);
                return;
            }
            try
            {
                if (end.Bark.Length > 0)
                    barked.Invoke(end.Bark);
            }
            finally
            {
                Fail(end.Error.ToString());
            }
        }

        private void Finish(string text)
        {
            Rest();
            responseFinished.Invoke(text);
        }

        private void Fail(string why)
        {
            Rest();
            responseFailed.Invoke(why);
        }

        // before the end is told, since who hears it may ask again
        private void Rest()
        {
            if (!ReferenceEquals(_heard, null))
                _heard.Stopped -= OnStopped;
            _heard = null;
            _asks++;
            _reply = null;
            IsBusy = false;
        }
    }
}
