using System;
using System.Threading.Tasks;
using UnityEngine;
using UnityEngine.Events;

namespace NpcBridge.Unity
{
    /// <summary>
    /// The scene's connection to the server: connects when enabled, and lets go before a reload or a quit.
    /// </summary>
    [AddComponentMenu("NPC Bridge/NPC World")]
    [DefaultExecutionOrder(-100)]
    public sealed class NpcWorldBehaviour : MonoBehaviour
    {
        private const float FrameEveryS = 0.05f;
        private const int RetryMs = 1000;

        [SerializeField] private string host = "127.0.0.1";
        [SerializeField] private int port = 5577;
        [Tooltip("Where the server leaves its token. Empty: NPC_SERVER_TOKEN, or the usual place.")]
        [SerializeField] private string tokenFile = "";
        [Tooltip("Seconds for the connection, and for each answer but a reply.")]
        [SerializeField] private float patienceS = 5f;
        [Tooltip("Tell the server how long frames take, so that the model gives way.")]
        [SerializeField] private bool tellsFrames = true;

        [SerializeField] private UnityEvent connected = new UnityEvent();
        [SerializeField] private NpcTextEvent disconnected = new NpcTextEvent();

        private Dispatcher _dispatcher;
        private float _longestFrame;
        private float _nextFrame;

        /// <summary>The client, or null while this component is disabled.</summary>
        public NpcClient Client { get; private set; }

        /// <summary>The connection came, for the first time or again.</summary>
        public UnityEvent Connected => connected;

        /// <summary>The connection was lost or could not be made, and why. It is tried anew by itself.</summary>
        public NpcTextEvent Disconnected => disconnected;

        /// <summary>The client was let go; who still waited for it need not wait any more.</summary>
        internal event Action Stopped;

        private void OnEnable()
        {
            // made here, so that this is the thread that pumps
            _dispatcher = new Dispatcher();
            Client = new NpcClient(new NpcClientOptions
            {
                Host = host,
                Port = port,
                TokenFile = tokenFile.Length > 0 ? tokenFile : null,
                ConnectTimeout = TimeSpan.FromSeconds(patienceS),
                AnswerTimeout = TimeSpan.FromSeconds(patienceS),
                Dispatcher = _dispatcher,
                ClientName = "unity " + Application.productName,
                Log = line => Debug.LogWarning("NPC bridge: " + line),
            });
            Client.StateChanged += OnState;
#if UNITY_EDITOR
            UnityEditor.AssemblyReloadEvents.beforeAssemblyReload += Stop;
#endif
            KeepTrying(Client);
        }

        private void OnDisable()
        {
            Stop();
        }

        private void OnApplicationQuit()
        {
            Stop();
        }

        private void Update()
        {
            _dispatcher?.Pump();
            if (!tellsFrames || Client == null)
                return;
            _longestFrame = Mathf.Max(_longestFrame, Time.unscaledDeltaTime);
            if (Time.unscaledTime < _nextFrame)
                return;
            Client.NoteFrame(_longestFrame);
            _nextFrame = Time.unscaledTime + FrameEveryS;
            _longestFrame = 0f;
        }

        /// <summary>Ends the client's threads within a second; open replies end as failed. Can be repeated.</summary>
        private void Stop()
        {
#if UNITY_EDITOR
            UnityEditor.AssemblyReloadEvents.beforeAssemblyReload -= Stop;
#endif
            var client = Client;
            if (client == null)
                return;
            Client = null;
            client.Dispose();
            Stopped?.Invoke();
        }

        private async void KeepTrying(NpcClient client)
        {
            while (client == Client)
            {
                try
                {
                    await client.ConnectAsync();
                    return;
                }
                catch (NpcException error)
                {
                    if (client != Client)
                        return;
                    Debug.LogWarning("NPC bridge: " + error);
                }
                catch (ObjectDisposedException)
                {
                    return;
                }
                // the server may not have been started yet, or with another token
                await Task.Delay(RetryMs);
            }
        }

        private void OnState(NpcConnectionState state, NpcException error)
        {
            if (state == NpcConnectionState.Connected)
                connected.Invoke();
            else if (error != null && Client != null)
                disconnected.Invoke(error.ToString());
        }
    }
}
