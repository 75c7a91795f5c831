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
    }
}
