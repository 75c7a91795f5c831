using System;
using System.IO;
using System.Net;
using System.Runtime.InteropServices;

namespace NpcBridge
{
    /// <summary>Where a client finds the token of this launch of the server, as the Python client does.</summary>
    internal static class NpcToken
    {
        private const string Variable = "NPC_SERVER_TOKEN";

        /// <summary>
        /// What to show now; "" for nothing. Throws NpcException where a token would cross a network in the clear.
        /// </summary>
        internal static string Find(NpcClientOptions options)
        {
            if (!IsLocal(options.Host))
            {
                if (!string.IsNullOrEmpty(options.Token))
                    throw NpcException.Auth("a token is for this machine only, not for " + options.Host,
                        "run the server on the player's machine");
                return "";
            }
            if (options.Token != null)
                return options.Token;
            var given = Environment.GetEnvironmentVariable(Variable);
            return string.IsNullOrEmpty(given) ? Read(File(options)) : given;
        }

        /// <summary>Whether another token may be found when the server has been started anew.</summary>
        internal static bool MayChange(NpcClientOptions options)
        {
            return options.Token == null && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable));
        }

        private static string File(NpcClientOptions options)
        {
            return options.TokenFile ?? Path.Combine(UserFolder(), "npc-sdk", options.Port + ".token");
        }

        private static string Read(string path)
        {
            try
            {
                return System.IO.File.ReadAllText(path).Trim();
            }
            catch (Exception problem) when (problem is IOException || problem is UnauthorizedAccessException)
            {
                // without a file there is nothing to show; a server that wants a token says so
                return "";
            }
        }

        private static bool IsLocal(string host)
        {
            return host == "localhost" || IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address);
        }

        private static string UserFolder()
        {
            if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
                return Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            if (RuntimeInformation.IsOSPlatform(OSPlatform.OSX))
                return Path.Combine(home, "Library", "Caches");
            return First("XDG_RUNTIME_DIR", First("XDG_CACHE_HOME", Path.Combine(home, ".cache")));
        }

        private static string First(string variable, string otherwise)
        {
            var value = Environment.GetEnvironmentVariable(variable);
            return string.IsNullOrEmpty(value) ? otherwise : value;
        }
    }
}
