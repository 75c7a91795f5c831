using System;
using System.Collections.Generic;
using StandIns;

// The part of UnityEngine that the components use: names and signatures as its scripting reference has them (2021.3),
// and no more behaviour than a component can notice.
namespace UnityEngine
{
    [AttributeUsage(AttributeTargets.Class)]
    public sealed class AddComponentMenu : Attribute
    {
        public AddComponentMenu(string menuName)
        {
        }
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class DefaultExecutionOrder : Attribute
    {
        public int order { get; }

        public DefaultExecutionOrder(int order)
        {
            this.order = order;
        }
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class SerializeField : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class TooltipAttribute : Attribute
    {
        public TooltipAttribute(string tooltip)
        {
        }
    }

    public sealed class UnityException : Exception
    {
        public UnityException(string message) : base(message)
        {
        }
    }

    /// <summary>Equal to null once it is destroyed, which happens at the end of the frame.</summary>
    public class Object
    {
        internal bool IsDestroyed { get; set; }

        public static void Destroy(Object obj)
        {
            Player.NeedMainThread("Destroy");
            Player.Current.Doomed.Add(obj);
        }

        public static bool operator ==(Object x, Object y)
        {
            return IsNothing(x) ? IsNothing(y) : ReferenceEquals(x, y);
        }

        public static bool operator !=(Object x, Object y)
        {
            return !(x == y);
        }

        public static implicit operator bool(Object exists)
        {
            return !IsNothing(exists);
        }

        public override bool Equals(object other)
        {
            return ReferenceEquals(this, other);
        }

        public override int GetHashCode()
        {
            return base.GetHashCode();
        }

        private static bool IsNothing(Object one)
        {
            return ReferenceEquals(one, null) || one.IsDestroyed;
        }
    }

    public class Component : Object
    {
        public GameObject gameObject { get; internal set; }
    }

    public class Behaviour : Component
    {
        private bool _isEnabled = true;

        public bool enabled
        {
            get => _isEnabled;
            set
            {
                _isEnabled = value;
                Player.Current.Settle(this);
            }
        }

        public bool isActiveAndEnabled => !IsDestroyed && _isEnabled && gameObject.activeInHierarchy;

        /// <summary>The same component after a domain reload, which neither wakes nor starts it again.</summary>
        internal void Follow(Behaviour old)
        {
            gameObject = old.gameObject;
            _isEnabled = old._isEnabled;
            IsAwake = old.IsAwake;
            IsStarted = old.IsStarted;
        }

        /// <summary>Whether OnEnable was the last of the two that it heard.</summary>
        internal bool IsOn { get; set; }

        internal bool IsAwake { get; set; }
        internal bool IsStarted { get; set; }
    }

    public class MonoBehaviour : Behaviour
    {
    }

    public sealed class GameObject : Object
    {
        internal readonly List<Component> Components = new List<Component>();

        public bool activeInHierarchy { get; private set; } = true;

        public GameObject(string name)
        {
            Player.Current.Scene.Add(this);
        }

        public T AddComponent<T>() where T : Component, new()
        {
            var added = new T { gameObject = this };
            Components.Add(added);
            if (added is Behaviour behaviour)
                Player.Current.Settle(behaviour);
            return added;
        }

        public void SetActive(bool value)
        {
            activeInHierarchy = value;
            foreach (var component in Components.ToArray())
                if (component is Behaviour behaviour)
                    Player.Current.Settle(behaviour);
        }
    }
}
