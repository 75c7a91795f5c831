using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace NpcBridge
{
    /// <summary>What a game asks of its NPCs' server, beside what it says to them.</summary>
    public sealed partial class NpcClient
    {
        /// <summary>Open a conversation. Throws NpcException: unknown_npc, overloaded, connection_lost.</summary>
        public async Task<NpcSession> TalkAsync(string npcId, string player = "Traveller",
            CancellationToken cancel = default(CancellationToken))
        {
            var link = Linked();
            var body = Link.Body("talk", "npc_id", npcId, "player", player);
            var talking = await Ask(link, body, "talking", cancel).ConfigureAwait(false);
            return new NpcSession(this, link, talking, player);
        }

        /// <summary>
        /// Set variables that prompts use, for one NPC or (null) for the world; a null value takes one away.
        /// </summary>
        public async Task SetStateAsync(IDictionary<string, object> values, string npcId = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var body = Link.Body("state", "values", values, "npc_id", npcId);
            await Ask(Linked(), body, "state_ok", cancel).ConfigureAwait(false);
        }

        /// <summary>An NPC comes to know a new fact, with words that bring it in; the id for ForgetAsync.</summary>
        public async Task<string> LearnAsync(string npcId, string text, string source, IList<string> keys = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var body = Link.Body("learn", "npc_id", npcId, "text", text, "source", source, "keys", keys);
            return (await Ask(Able("learn"), body, "learned", cancel).ConfigureAwait(false)).Text("entry_id");
        }

        /// <summary>An NPC comes to know an entry of the lore; the id for ForgetAsync.</summary>
        public async Task<string> LearnEntryAsync(string npcId, string entryId, string source,
            CancellationToken cancel = default(CancellationToken))
        {
            var body = Link.Body("learn", "npc_id", npcId, "entry_id", entryId, "source", source);
            return (await Ask(Able("learn"), body, "learned", cancel).ConfigureAwait(false)).Text("entry_id");
        }

        /// <summary>Take back what an NPC has learned.</summary>
        public async Task ForgetAsync(string npcId, string entryId,
            CancellationToken cancel = default(CancellationToken))
        {
            var body = Link.Body("forget", "npc_id", npcId, "entry_id", entryId);
            await Ask(Able("learn"), body, "noted", cancel).ConfigureAwait(false);
        }

        /// <summary>One of the world's events came about; the map holds the NPC's mood and relations now.</summary>
        public async Task<IDictionary<string, object>> HappenAsync(string worldEvent, string npcId,
            string player = "Traveller", CancellationToken cancel = default(CancellationToken))
        {
            var body = Link.Body("happen", "event", worldEvent, "npc_id", npcId, "player", player);
            return (await Ask(Able("happen"), body, "felt", cancel).ConfigureAwait(false)).Body;
        }

        /// <summary>What the server and its model did so far, as the map of the protocol's figures.</summary>
        public async Task<IDictionary<string, object>> StatsAsync(CancellationToken cancel = default(CancellationToken))
        {
            return (await Ask(Able("stats"), Link.Body("stats"), "figures", cancel).ConfigureAwait(false)).Body;
        }

        /// <summary>What this connection has open, the oldest first.</summary>
        public async Task<IList<NpcSessionEntry>> SessionsAsync(CancellationToken cancel = default(CancellationToken))
        {
            var open = new List<NpcSessionEntry>();
            var list = await Ask(Able("sessions"), Link.Body("sessions"), "session_list", cancel).ConfigureAwait(false);
            foreach (Dictionary<string, object> entry in list.List("sessions"))
                open.Add(new NpcSessionEntry(entry));
            return open;
        }

        /// <summary>A round trip.</summary>
        public async Task PingAsync(CancellationToken cancel = default(CancellationToken))
        {
            await Ask(Linked(), Link.Body("ping"), "pong", cancel).ConfigureAwait(false);
        }

        /// <summary>The player walks up to an NPC: its next reply is there sooner. Never fails.</summary>
        public void Approach(string npcId, string player = "Traveller")
        {
            Hint("approach", Link.Body("approach", "npc_id", npcId, "player", player));
        }

        /// <summary>How long a frame took, so that a model on the same machine gives way. Never fails.</summary>
        public void NoteFrame(double seconds)
        {
            Hint("frame", Link.Body("frame", "frame_s", Math.Max(0, Math.Min(3600, seconds))));
        }
    }
}
