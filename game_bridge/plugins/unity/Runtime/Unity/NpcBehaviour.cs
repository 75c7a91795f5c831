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

        /// <summary>The NPC wants something done: Accept or Refuse the call.</summary>
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
            var welcome = world != null ? world.Client?.Welcome : null;
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
            world?.Client?.Approach(npcId, player);
        }

        private void OnDisable()
        {
            Cancel();
        }

        private async void Begin(string text, SayOptions options)
        {
            try
            {
                var session = await Session();
                _reply = session.Say(text, Listen, options);
                if (_isCancelled)
                    _reply.Cancel();
            }
            catch (Exception problem)
            {
                // whatever it was, also a handler's own mistake: an Ask that began has an end
                Fail(problem.ToString());
            }
        }

        private async Task<NpcSession> Session()
        {
            if (_session != null && _session.IsOpen)
                return _session;
            var client = world != null ? world.Client : null;
            if (client == null)
                throw new NpcException("connection_lost", "there is no NpcWorldBehaviour that is enabled", "", true);
            await client.ConnectAsync();
            _session = await client.TalkAsync(npcId, player);
            if (_session.Greeting.Length > 0)
                greeted.Invoke(_session.Greeting);
            return _session;
        }

        private void Listen(NpcReply reply)
        {
            reply.TextReceived += responseUpdated.Invoke;
            reply.SentenceReceived += (number, sentence) => sentenceFinished.Invoke(sentence);
            reply.ToolCalled += toolCalled.Invoke;
            reply.Ended += OnEnded;
            ReplyStarted?.Invoke(reply);
        }

        private void OnEnded(NpcReplyEnd end)
        {
            if (end.Error != null)
            {
                if (end.Bark.Length > 0)
                    barked.Invoke(end.Bark);
                Fail(end.Error.ToString());
                return;
            }
            IsBusy = false;
            _reply = null;
            responseFinished.Invoke(end.Text);
        }

        private void Fail(string why)
        {
            IsBusy = false;
            _reply = null;
            responseFailed.Invoke(why);
        }
    }
}
