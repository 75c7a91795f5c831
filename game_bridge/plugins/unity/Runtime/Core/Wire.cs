using System;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace NpcBridge
{
    /// <summary>Seconds that only ever go forward.</summary>
    internal static class Clock
    {
        private static readonly Stopwatch Watch = Stopwatch.StartNew();

        internal static double Now => Watch.Elapsed.TotalSeconds;
    }

    /// <summary>A TCP socket that never waits longer than a slice without asking whether it should stop.</summary>
    /// <remarks>One thread may receive while another sends. Knows bytes, no frame.</remarks>
    internal sealed class Wire
    {
        internal const int SliceMs = 25;
        private const double SendPatienceS = 10;

        private readonly Socket _socket;
        private readonly Func<bool> _isStopped;

        private Wire(Socket socket, Func<bool> isStopped)
        {
            _socket = socket;
            _isStopped = isStopped;
        }

        /// <summary>Connect by a moment of the clock. Throws NpcException (connection_lost) otherwise.</summary>
        internal static Wire Connect(string host, int port, double deadline, Func<bool> isStopped)
        {
            var where = host + ":" + port;
            NpcException error = null;
            foreach (var address in Resolve(host, deadline, isStopped))
            {
                Socket socket = null;
                try
                {
                    socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                    Open(socket, new IPEndPoint(address, port), deadline, isStopped);
                    return new Wire(socket, isStopped);
                }
                catch (SocketException problem)
                {
                    socket?.Close();
                    error = NpcException.Lost(where + " cannot be reached: " + problem.SocketErrorCode,
                        "is the server running there?");
                    error.IsNobodyThere = problem.SocketErrorCode == SocketError.ConnectionRefused;
                }
                catch (NpcException problem)
                {
                    socket?.Close();
                    error = problem;
                }
            }
            throw error ?? NpcException.Lost(host + " has no address");
        }

        /// <summary>
        /// How many bytes came within a slice; 0 for none. Throws NpcException once the socket is closed.
        /// </summary>
        internal int Receive(byte[] buffer)
        {
            try
            {
                if (!_socket.Poll(SliceMs * 1000, SelectMode.SelectRead))
                    return 0;
                var count = _socket.Receive(buffer, 0, buffer.Length, SocketFlags.None);
                if (count == 0)
                    throw Closed("the server closed the connection");
                return count;
            }
            catch (SocketException problem) when (problem.SocketErrorCode == SocketError.WouldBlock)
            {
                return 0;
            }
            catch (SocketException problem)
            {
                throw Closed("the connection broke: " + problem.SocketErrorCode);
            }
        }

        /// <summary>
        /// Send all, or as much as goes before the stop. Throws NpcException when the server takes nothing.
        /// </summary>
        internal void Send(byte[] data)
        {
            var sent = 0;
            var patience = Clock.Now + SendPatienceS;
            while (sent < data.Length && !_isStopped())
            {
                var count = SendSome(data, sent);
                if (count > 0)
                    patience = Clock.Now + SendPatienceS;
                else if (Clock.Now > patience)
                    throw NpcException.Lost("the server takes no messages");
                sent += count;
            }
        }

        internal void Close()
        {
            try
            {
                _socket.Shutdown(SocketShutdown.Both);
            }
            catch (SocketException)
            {
                // the other side was faster
            }
            catch (ObjectDisposedException)
            {
                // closed before
            }
            _socket.Close();
        }

        private static NpcException Closed(string message)
        {
            var error = NpcException.Lost(message);
            error.IsClosed = true;
            return error;
        }

        private int SendSome(byte[] data, int from)
        {
            try
            {
                if (!_socket.Poll(SliceMs * 1000, SelectMode.SelectWrite))
                    return 0;
                return _socket.Send(data, from, data.Length - from, SocketFlags.None);
            }
            catch (SocketException problem) when (problem.SocketErrorCode == SocketError.WouldBlock)
            {
                return 0;
            }
            catch (SocketException problem)
            {
                throw NpcException.Lost("the connection broke: " + problem.SocketErrorCode);
            }
        }

        private static IPAddress[] Resolve(string host, double deadline, Func<bool> isStopped)
        {
            if (IPAddress.TryParse(host, out var address))
                return new[] { address };
            var asking = Dns.GetHostAddressesAsync(host);
            try
            {
                while (!asking.Wait(SliceMs))
                    CheckTime(host, deadline, isStopped);
            }
            catch (AggregateException)
            {
                throw NpcException.Lost(host + " is no host that can be found", "write its name or number");
            }
            return asking.Result;
        }

        private static void Open(Socket socket, IPEndPoint end, double deadline, Func<bool> isStopped)
        {
            socket.NoDelay = true;
            socket.Blocking = false;
            try
            {
                socket.Connect(end);
            }
            catch (SocketException problem) when (problem.SocketErrorCode == SocketError.WouldBlock
                                                  || problem.SocketErrorCode == SocketError.InProgress)
            {
                while (!socket.Poll(SliceMs * 1000, SelectMode.SelectWrite))
                {
                    // Windows tells of a refusal here, others by the error below
                    if (socket.Poll(0, SelectMode.SelectError))
                        break;
                    CheckTime(end.ToString(), deadline, isStopped);
                }
                var code = (int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error);
                if (code != 0)
                    throw new SocketException(code);
            }
        }

        private static void CheckTime(string where, double deadline, Func<bool> isStopped)
        {
            if (isStopped() || Clock.Now > deadline)
                throw NpcException.Lost(where + " did not answer in time", "is the server running there?");
        }
    }
}
