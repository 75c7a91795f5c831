using System;
using System.Collections.Generic;

namespace UnityEngine.Events
{
    public delegate void UnityAction();

    public delegate void UnityAction<T0>(T0 arg0);

    /// <summary>Listeners in order; one that throws ends the call, as in the engine.</summary>
    [Serializable]
    public abstract class UnityEventBase
    {
        private protected readonly List<Delegate> Wired = new List<Delegate>();
        private protected readonly List<Delegate> Added = new List<Delegate>();

        public void RemoveAllListeners()
        {
            Added.Clear();
        }

        public int GetPersistentEventCount() => Wired.Count;

        protected void Invoke(object[] parameters)
        {
            foreach (var call in Calls())
                call.DynamicInvoke(parameters);
        }

        private protected IEnumerable<Delegate> Calls()
        {
            var calls = new List<Delegate>(Wired);
            calls.AddRange(Added);
            // a target that is destroyed hears nothing any more
            calls.RemoveAll(call => call.Target is Object target && target == null);
            return calls;
        }
    }

    [Serializable]
    public class UnityEvent : UnityEventBase
    {
        public void AddListener(UnityAction call) => Added.Add(call);

        public void RemoveListener(UnityAction call) => Added.Remove(call);

        public void Invoke()
        {
            foreach (var call in Calls())
                ((UnityAction)call)();
        }

        /// <summary>Not of the engine: a wire of the inspector, which a domain reload keeps.</summary>
        public void Wire(UnityAction call) => Wired.Add(call);
    }

    [Serializable]
    public class UnityEvent<T0> : UnityEventBase
    {
        public void AddListener(UnityAction<T0> call) => Added.Add(call);

        public void RemoveListener(UnityAction<T0> call) => Added.Remove(call);

        public void Invoke(T0 arg0)
        {
            foreach (var call in Calls())
                ((UnityAction<T0>)call)(arg0);
        }

        /// <summary>Not of the engine: a wire of the inspector, which a domain reload keeps.</summary>
        public void Wire(UnityAction<T0> call) => Wired.Add(call);
    }
}
