using System;
using System.Collections.Generic;
using System.Threading;

namespace NpcBridge
{
    /// <summary>Carries a client's events to the game's own thread, which calls Pump once a frame.</summary>
    public sealed class Dispatcher
    {
        /// <summary>With more waiting than this the client stops reading, and so slows the server down.</summary>
        internal const int MaxWaiting = 4096;

        private readonly Queue<Action> _waiting = new Queue<Action>();
        private readonly int _thread = Thread.CurrentThread.ManagedThreadId;

        /// <summary>Whether the caller is on the thread that made this dispatcher.</summary>
        public bool IsOwnThread => Thread.CurrentThread.ManagedThreadId == _thread;

        /// <summary>How many events wait for Pump.</summary>
        public int Count
        {
            get
            {
                lock (_waiting)
                    return _waiting.Count;
            }
        }

        /// <summary>
        /// Run what waited at the moment of the call, in order; what that brings about waits for the next.
        /// </summary>
        public int Pump()
        {
            var count = Count;
            for (var done = 0; done < count; done++)
            {
                Action next;
                lock (_waiting)
                {
                    if (_waiting.Count == 0)
                        return done;
                    next = _waiting.Dequeue();
                }
                next();
            }
            return count;
        }

        internal void Post(Action action)
        {
            lock (_waiting)
                _waiting.Enqueue(action);
        }
    }
}
