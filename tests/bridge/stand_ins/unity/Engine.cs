using System;
using StandIns;

namespace UnityEngine
{
    public static class Application
    {
        public static string productName
        {
            get
            {
                Player.NeedMainThread("get_productName");
                return "stand-in";
            }
        }
    }

    public static class Time
    {
        public static float unscaledTime
        {
            get
            {
                Player.NeedMainThread("get_unscaledTime");
                return Player.Current.Now;
            }
        }

        public static float unscaledDeltaTime
        {
            get
            {
                Player.NeedMainThread("get_unscaledDeltaTime");
                return Player.Current.Delta;
            }
        }
    }

    /// <summary>May be called on any thread, as in the engine.</summary>
    public static class Debug
    {
        public static void LogWarning(object message) => Player.Log("warning", message);

        public static void LogWarning(object message, Object context) => LogWarning(message);

        public static void LogException(Exception exception) => Player.Log("exception", exception);
    }
}

namespace UnityEditor
{
    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();

        public static event AssemblyReloadCallback beforeAssemblyReload;

        /// <summary>Not of the engine: the reload begins, and with the old domain its listeners go.</summary>
        public static void Begin()
        {
            beforeAssemblyReload?.Invoke();
            beforeAssemblyReload = null;
        }

        /// <summary>Not of the engine: how many listen.</summary>
        public static int Count => beforeAssemblyReload?.GetInvocationList().Length ?? 0;
    }
}
