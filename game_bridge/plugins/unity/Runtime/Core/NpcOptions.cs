using System;
using System.Collections.Generic;

namespace NpcBridge
{
    /// <summary>Where the server is and how patient the client should be.</summary>
    public sealed class NpcClientOptions
    {
        public string Host { get; set; } = "127.0.0.1";
        public int Port { get; set; } = 5577;

        /// <summary>
        /// What the server made for this launch; null finds it in NPC_SERVER_TOKEN or TokenFile, "" shows none.
        /// </summary>
        public string Token { get; set; }

        /// <summary>
        /// A file that holds the token, read anew for each attempt; null for where npc serve leaves it.
        /// </summary>
        public string TokenFile { get; set; }

        /// <summary>Who connects, for the server's log.</summary>
        public string ClientName { get; set; } = "npc-bridge unity";

        /// <summary>For reaching the server and its welcome together.</summary>
        public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

        /// <summary>For the answer to anything but a Say.</summary>
        public TimeSpan AnswerTimeout { get; set; } = TimeSpan.FromSeconds(5);

        /// <summary>Whether a connection that was lost is made anew.</summary>
        public bool Reconnects { get; set; } = true;

        /// <summary>The first pause before a new attempt; each is twice the one before.</summary>
        public TimeSpan ReconnectAfter { get; set; } = TimeSpan.FromMilliseconds(100);

        /// <summary>The longest pause before a new attempt.</summary>
        public TimeSpan ReconnectAtMost { get; set; } = TimeSpan.FromSeconds(5);

        /// <summary>Whose Pump raises the events; null raises them on the client's own thread.</summary>
        public Dispatcher Dispatcher { get; set; }

        /// <summary>Whether the server should tell of edits of the world's files.</summary>
        public bool WantsEdits { get; set; }

        /// <summary>Takes what is worth a line in a log; called on any thread.</summary>
        public Action<string> Log { get; set; }
    }

    /// <summary>What a Say may have beside the words.</summary>
    public sealed class SayOptions
    {
        /// <summary>Encoded pictures that go with the words.</summary>
        public List<NpcPicture> Pictures { get; } = new List<NpcPicture>();

        /// <summary>player, nearby, ambient or background.</summary>
        public string Priority { get; set; } = "player";

        /// <summary>Seconds until the reply fails with timeout; null leaves it to the server.</summary>
        public double? TimeoutS { get; set; }

        /// <summary>Seconds until it is too late to begin; null for never.</summary>
        public double? StartByS { get; set; }

        /// <summary>auto, required, none or a tool's name; null for auto.</summary>
        public string ToolChoice { get; set; }

        /// <summary>Asks for one structured value and no speech.</summary>
        public IDictionary<string, object> JsonSchema { get; set; }

        /// <summary>
        /// Whether the game asks the player before calls that need it, and answers with NpcToolCall.Confirm.
        /// </summary>
        public bool CanConfirm { get; set; }

        /// <summary>Add a picture.</summary>
        public SayOptions With(NpcPicture picture)
        {
            Pictures.Add(picture);
            return this;
        }

        /// <summary>Add a picture, encoded as PNG.</summary>
        public SayOptions WithPng(byte[] data)
        {
            Pictures.Add(new NpcPicture("image/png", data));
            return this;
        }
    }

    /// <summary>
    /// A picture; the type is image/png, image/jpeg or image/webp, or a raw one, for a server that can raw_images.
    /// </summary>
    public sealed class NpcPicture
    {
        private const int RawHead = 12;

        public string MediaType { get; }
        public byte[] Data { get; }

        public NpcPicture(string mediaType, byte[] data)
        {
            MediaType = mediaType ?? throw new ArgumentNullException(nameof(mediaType));
            Data = data ?? throw new ArgumentNullException(nameof(data));
        }

        /// <summary>Pixels as a renderer has them: rows of 3 or 4 bytes a pixel, close to each other.</summary>
        public static NpcPicture Raw(int width, int height, bool hasAlpha, byte[] pixels, bool isBottomFirst = false)
        {
            var stride = width * (hasAlpha ? 4 : 3);
            if (pixels == null || width < 1 || height < 1 || pixels.Length != (long)stride * height)
                throw new ArgumentException("the pixels do not fill " + width + " by " + height, nameof(pixels));
            var data = new byte[RawHead + pixels.Length];
            var numbers = new[] { width, height, stride };
            for (var i = 0; i < RawHead; i++)
                data[i] = (byte)(numbers[i / 4] >> (24 - 8 * (i % 4)));
            for (var row = 0; row < height; row++)
                Buffer.BlockCopy(pixels, (isBottomFirst ? height - 1 - row : row) * stride, data,
                    RawHead + row * stride, stride);
            return new NpcPicture(hasAlpha ? "image/x-rgba8" : "image/x-rgb8", data);
        }
    }

    /// <summary>What the server said of itself when the connection began.</summary>
    public sealed class NpcWelcome
    {
        public int Protocol { get; }
        public string Server { get; }
        public HashSet<string> Capabilities { get; } = new HashSet<string>();

        /// <summary>The cast: id to name.</summary>
        public Dictionary<string, string> Npcs { get; private set; }

        /// <summary>How the world's names are spoken.</summary>
        public Dictionary<string, object> Pronunciations { get; }

        public int MaxBodyBytes { get; }
        public int MaxPictures { get; }
        public int MaxPictureBytes { get; }

        /// <summary>Seconds between two signs of life, and of silence until the other side counts as dead.</summary>
        public double HeartbeatS { get; }

        public double IdleS { get; }
        public double ReplyTimeoutS { get; }

        /// <summary>For going on after a break; null where the server keeps nothing. And for how long.</summary>
        internal string Resume { get; }

        internal double ResumeS { get; }
        internal bool IsResumed { get; }
        internal long Heard { get; }

        internal NpcWelcome(ServerMessage message)
        {
            Protocol = (int)Clamp(message.Integer("protocol"), 0, int.MaxValue);
            Server = message.Text("server");
            foreach (var name in message.List("capabilities"))
                Capabilities.Add(name as string ?? "");
            Npcs = message.Npcs();
            Pronunciations = message.Map("pronunciations");
            var limits = message.Map("limits");
            MaxBodyBytes = (int)Number(limits, "max_body_bytes", 262144, 1, Zmtp.MaxFrameBytes);
            MaxPictures = (int)Number(limits, "max_images", 4, 0, Zmtp.MaxFrames - 1);
            MaxPictureBytes = (int)Number(limits, "max_image_bytes", 8388608, 1, Zmtp.MaxFrameBytes);
            // a server that asks for a life sign every microsecond does not get them
            HeartbeatS = Number(limits, "heartbeat_s", 2, 0.1, 60);
            IdleS = Number(limits, "idle_s", 15, 1, 600);
            ReplyTimeoutS = Number(limits, "reply_timeout_s", 120, 1, 3600);
            Resume = message.Get("resume") as string;
            ResumeS = Number(message.Body, "resume_s", 0, 0, 3600);
            IsResumed = message.Flag("resumed");
            Heard = message.Integer("heard");
        }

        internal NpcWelcome WithNpcs(Dictionary<string, string> npcs)
        {
            var other = (NpcWelcome)MemberwiseClone();
            other.Npcs = npcs;
            return other;
        }

        private static double Number(Dictionary<string, object> limits, string name, double missing, double least,
            double most)
        {
            limits.TryGetValue(name, out var value);
            return Clamp(value == null ? missing : Convert.ToDouble(value), least, most);
        }

        private static double Clamp(double value, double least, double most)
        {
            return Math.Max(least, Math.Min(most, value));
        }
    }
}
