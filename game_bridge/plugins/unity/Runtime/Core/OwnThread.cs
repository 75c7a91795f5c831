using System.Threading;

namespace NpcBridge
{
    /// <summary>
    /// Starts the library's threads and counts those that have not ended, for tests of what is left behind.
    /// </summary>
    internal static class OwnThread
    {
        private static int _alive;

        internal static int Alive => Volatile.Read(ref _alive);

        internal static Thread Start(string name, ThreadStart run)
        {
            Interlocked.Increment(ref _alive);
            var thread = new Thread(() =>
            {
                try
                {
                    run();
                }
                finally
                {
                    Interlocked.Decrement(ref _alive);
                }
            });
            thread.IsBackground = true;
            thread.Name = name;
            thread.Start();
            return thread;
        }
    }
}
