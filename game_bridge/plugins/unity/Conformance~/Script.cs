using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;

namespace NpcBridge.Conformance
{
    /// <summary>Steps of the conformance script: what NPCs do beside speaking, and a connection that breaks.</summary>
    internal sealed partial class Script
    {
        private async Task Sessions()
        {
            var open = (await _client.SessionsAsync()).Select(one => one.NpcId + " of " + one.Player);
            Check.Same("sessions", "mara of Robin, pip of Traveller", string.Join(", ", open));
        }

        private async Task Structured()
        {
            var place = new Dictionary<string, object> { { "type", "string" } };
            var note = new SayOptions
            {
                JsonSchema = new Dictionary<string, object>
                {
                    { "type", "object" }, { "properties", new Dictionary<string, object> { { "place", place } } },
                    { "required", new List<object> { "place" } },
                },
            };
            var heard = new Heard();
            object value = null;
            heard.Prepare = reply => reply.StructuredReceived += came => value = came;
            Check.Same("text", "", (await Check.End(heard.Listen(_mara, "Note it down.", null, note))).Text);
            Check.Same("place", "the forge", (value as IDictionary<string, object>)?["place"]);
        }

        private async Task Confirm()
        {
            await Charge(true, "accepted", "Here you are.");
            await Charge(false, "refused", "Then not.");
        }

        private async Task Charge(bool isAgreed, string status, string words)
        {
            var heard = new Heard().Listen(_mara, "Take my coin.", call =>
            {
                call.Confirm(isAgreed);
                if (isAgreed)
                    call.Accept();
            }, new SayOptions { CanConfirm = true });
            var end = await Check.End(heard);
            var calls = heard.Calls.Select(call => call.Name + " " + call.Arguments["coins"] + call.NeedsConfirmation);
            Check.Same("calls", "charge 2True", string.Join("|", calls));
            Check.Same("settled", "charge " + status, string.Join("|", heard.Settled));
            Check.True("the text is " + end.Text, end.Text.EndsWith(words, StringComparison.Ordinal));
        }

        private async Task Emote()
        {
            var shown = "";
            var heard = new Heard();
            heard.Prepare = reply => reply.EmoteReceived += (text, kind) => shown += kind + " " + text;
            Check.Same("text", "There you go.", (await Check.End(heard.Listen(_mara, "Smile!"))).Text);
            Check.Same("shown", "action smiles", shown);
        }

        private async Task Bark()
        {
            var end = await Check.End(new Heard().Listen(_mara, "Faint."));
            Check.Same("error", "engine_crashed", end.Error?.Code);
            Check.Same("bark", "Not now.", end.Bark);
        }

        private async Task Happen()
        {
            Check.Same("mood", "glad", (await _client.HappenAsync("praised", "mara", "Robin"))["mood"]);
        }

        private async Task Forget()
        {
            await _client.ForgetAsync("pip", await _client.LearnAsync("pip", "The cellar is wet.", "seen"));
        }

        private async Task Stats()
        {
            var bridge = (IDictionary<string, object>)(await _client.StatsAsync())["bridge"];
            Check.True("sessions are " + bridge["sessions"], (long)bridge["sessions"] >= 2);
        }

        private async Task Resume()
        {
            _losses = 0;
            var pieces = 0;
            var heard = new Heard
            {
                Prepare = reply => reply.TextReceived += piece =>
                {
                    if (++pieces == 10)
                        Say("CUT");
                },
            };
            var end = await Check.End(heard.Listen(_pip, "Tell me a story."));
            Check.Same("error", null, end.Error?.ToString());
            Check.Same("joined", end.Text, string.Concat(heard.Pieces));
            Check.Same("words", 400, end.Text.Split(' ').Length);
            Check.Same("interrupted, resumed, lost", "1 1 0", _interruptions + " " + _resumptions + " " + _losses);
        }
    }
}
