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
            if (!string.IsNullOrEmpty(given))
                return given;
            return Read(File(options), out _);
        }

        /// <summary>An error of a server that lets nobody in, with what keeps the token's file from being read.</summary>
        internal static NpcException Explained(NpcException error, NpcClientOptions options)
        {
            if (error.Code != "auth" || !IsLocal(options.Host) || !MayChange(options))
                return error;
            Read(File(options), out var fault);
            return fault == null ? error : new NpcException(error.Code, error.Message, fault, error.IsRetryable);
        }

        /// <summary>Whether another token may be found when the server has been started anew.</summary>
        internal static bool MayChange(NpcClientOptions options)
        {
            return options.Token == null && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable));
        }

        private static string File(NpcClientOptions options)
        {
            return options.TokenFile ?? Path.Combine(UserFolder(), "npc-sdk", Name(options) + ".token");
        }

        private static string Name(NpcClientOptions options)
        {
            var host = IPAddress.TryParse(options.Host, out var address) ? address.ToString() : options.Host.ToLowerInvariant();
            var isUsual = host == "localhost" || host == "127.0.0.1";
            return isUsual ? options.Port.ToString() : options.Port + "@" + host.Replace(':', '-');
        }

        /// <summary>
        /// "" where there is no token to read; fault then says why, but for a file that is not there.
        /// </summary>
        private static string Read(string path, out string fault)
        {
            fault = null;
            try
            {
                return System.IO.File.ReadAllText(path).Trim();
            }
            catch (Exception problem) when (problem is IOException || problem is UnauthorizedAccessException)
            {
                // nothing to show then; a server that wants a token says so
                if (!(problem is FileNotFoundException || problem is DirectoryNotFoundException))
                    fault = "the token file '" + path + "' cannot be read: " + problem.Message;
                return "";
            }
        }

        private static bool IsLocal(string host)
        {
            return string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address);
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
