using System;
using UnityEngine.Events;

namespace NpcBridge.Unity
{
    /// <summary>An event with a text, to be wired in the inspector.</summary>
    [Serializable]
    public sealed class NpcTextEvent : UnityEvent<string>
    {
    }

    /// <summary>An event with something that the NPC wants done.</summary>
    [Serializable]
    public sealed class NpcToolEvent : UnityEvent<NpcToolCall>
    {
        // the engine tells how many listen in the inspector, and not how many by code
        private UnityAction<NpcToolCall> _added;

        /// <summary>Whether anybody would hear of a call.</summary>
        public bool HasListeners => _added != null || GetPersistentEventCount() > 0;

        public new void AddListener(UnityAction<NpcToolCall> call)
        {
            _added += call;
            base.AddListener(call);
        }

        public new void RemoveListener(UnityAction<NpcToolCall> call)
        {
            _added -= call;
            base.RemoveListener(call);
        }

        public new void RemoveAllListeners()
        {
            _added = null;
            base.RemoveAllListeners();
        }
    }
}
