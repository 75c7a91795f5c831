using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;
using UnityEngine;
using UnityEngine.Events;

namespace StandIns
{
    /// <summary>
    /// What the editor does to a scene in play mode: the life of its components, frames, a domain reload, the end.
    /// </summary>
    public sealed class Player
    {
        private static readonly int MainThread = Thread.CurrentThread.ManagedThreadId;
        private static readonly List<string> Logged = new List<string>();

        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private readonly Dictionary<object, object> _anew = new Dictionary<object, object>();
        private Continuations _continuations;

        public static Player Current { get; private set; }

        internal List<GameObject> Scene { get; } = new List<GameObject>();
        internal List<UnityEngine.Object> Doomed { get; } = new List<UnityEngine.Object>();
        internal float Now { get; private set; }
        internal float Delta { get; private set; }

        public Player()
        {
            Current = this;
            RenewContinuations();
        }

        /// <summary>What was logged since the last call.</summary>
        public static List<string> TakeLog()
        {
            lock (Logged)
            {
                var lines = new List<string>(Logged);
                Logged.Clear();
                return lines;
            }
        }

        public static bool IsMainThread => Thread.CurrentThread.ManagedThreadId == MainThread;

        /// <summary>How many temporary render textures and textures there are.</summary>
        public static int Textures => RenderTexture.Temporaries.Count + Texture2D.All.Count(one => one != null);

        /// <summary>Sets a field as the inspector does.</summary>
        public static void Fill(object component, string field, object value)
        {
            FieldsOf(component.GetType()).Single(one => one.Name == field).SetValue(component, value);
        }

        /// <summary>Start where it is due, Update, continuations of tasks, and what is destroyed goes.</summary>
        public void Frame()
        {
            Delta = (float)_clock.Elapsed.TotalSeconds - Now;
            Now += Delta;
            foreach (var one in Behaviours().Where(one => one.IsOn && !one.IsStarted))
            {
                one.IsStarted = true;
                Send(one, "Start");
            }
            foreach (var one in Behaviours().Where(one => one.IsOn))
                Send(one, "Update");
            _continuations.Run();
            foreach (var doomed in Doomed.ToArray())
                End(doomed);
            Doomed.Clear();
        }

        /// <summary>
        /// Scripts were compiled anew: every component is made again and gets back what is serialised, private fields
        /// too. Nothing else of the old domain lives on.
        /// </summary>
        public void ReloadDomain()
        {
            UnityEditor.AssemblyReloadEvents.Begin();
            var old = Behaviours();
            foreach (var one in old)
                TurnOff(one);
            RenewContinuations();
            foreach (var one in old)
                _anew[one] = Again(one);
            foreach (var one in old)
                Restore(one, _anew[one]);
            foreach (var one in Behaviours())
                Settle(one);
        }

        /// <summary>What the component is now.</summary>
        public T Renewed<T>(T component)
        {
            return (T)_anew[component];
        }

        /// <summary>The application ends: no frame follows, and no continuation of a task.</summary>
        public void Quit()
        {
            foreach (var one in Behaviours())
                if (one.IsOn)
                    Send(one, "OnApplicationQuit");
            foreach (var one in Scene.ToArray())
                End(one);
            RenewContinuations();
        }

        internal static void NeedMainThread(string name)
        {
            if (!IsMainThread)
                throw new UnityException(name + " can only be called from the main thread.");
        }

        internal static void Log(string kind, object message)
        {
            lock (Logged)
                Logged.Add(kind + " " + message);
            Console.WriteLine("# " + kind + " " + message.ToString().Replace("\n", "\n# "));
        }

        /// <summary>Awake, OnEnable or OnDisable, where one of them is due.</summary>
        internal void Settle(Behaviour one)
        {
            if (one.isActiveAndEnabled == one.IsOn)
                return;
            if (one.IsOn)
            {
                TurnOff(one);
                return;
            }
            if (!one.IsAwake)
            {
                one.IsAwake = true;
                Send(one, "Awake");
            }
            one.IsOn = true;
            Send(one, "OnEnable");
        }

        private void TurnOff(Behaviour one)
        {
            if (!one.IsOn)
                return;
            one.IsOn = false;
            Send(one, "OnDisable");
        }

        private List<Behaviour> Behaviours()
        {
            return Scene.SelectMany(one => one.Components).OfType<Behaviour>().OrderBy(Order).ToList();
        }

        private static int Order(Behaviour one)
        {
            return one.GetType().GetCustomAttribute<DefaultExecutionOrder>()?.order ?? 0;
        }

        private void End(UnityEngine.Object doomed)
        {
            if (doomed is GameObject holder)
                foreach (var component in holder.Components.ToArray())
                    End(component);
            if (doomed is Behaviour behaviour && !doomed.IsDestroyed)
            {
                TurnOff(behaviour);
                Send(behaviour, "OnDestroy");
            }
            if (doomed is Component part)
                part.gameObject.Components.Remove(part);
            doomed.IsDestroyed = true;
        }

        private static void Send(Behaviour one, string message)
        {
            const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            try
            {
                one.GetType().GetMethod(message, Any, null, Type.EmptyTypes, null)?.Invoke(one, null);
            }
            catch (TargetInvocationException problem)
            {
                UnityEngine.Debug.LogException(problem.InnerException);
            }
        }

        private static Behaviour Again(Behaviour old)
        {
            var anew = (Behaviour)Activator.CreateInstance(old.GetType());
            var place = old.gameObject.Components;
            anew.Follow(old);
            place[place.IndexOf(old)] = anew;
            return anew;
        }

        private void Restore(object old, object anew)
        {
            foreach (var field in FieldsOf(old.GetType()))
            {
                var value = field.GetValue(old);
                if (value is UnityEventBase wired)
                    wired.RemoveAllListeners();
                else if (value is Behaviour other && _anew.TryGetValue(other, out var renewed))
                    value = renewed;
                else if (!(value is UnityEngine.Object || value is string || value is ValueType))
                    continue;
                field.SetValue(anew, value);
            }
        }

        /// <summary>Of the component's own type; the engine keeps its own fields itself.</summary>
        private static IEnumerable<FieldInfo> FieldsOf(Type type)
        {
            return type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic
                                  | BindingFlags.DeclaredOnly);
        }

        private void RenewContinuations()
        {
            _continuations = new Continuations();
            SynchronizationContext.SetSynchronizationContext(_continuations);
        }
    }

    /// <summary>Runs what awaits a task on the main thread, once a frame.</summary>
    internal sealed class Continuations : SynchronizationContext
    {
        private readonly Queue<Action> _waiting = new Queue<Action>();

        public override void Post(SendOrPostCallback d, object state)
        {
            lock (_waiting)
                _waiting.Enqueue(() => d(state));
        }

        internal void Run()
        {
            Action[] due;
            lock (_waiting)
            {
                due = _waiting.ToArray();
                _waiting.Clear();
            }
            foreach (var one in due)
            {
                try
                {
                    one();
                }
                catch (Exception problem)
                {
                    UnityEngine.Debug.LogException(problem);
                }
            }
        }
    }
}
