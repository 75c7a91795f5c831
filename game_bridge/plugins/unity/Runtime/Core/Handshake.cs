using System;

namespace NpcBridge
{
    /// <summary>The first bytes of a connection: greeting, the token where there is one, READY.</summary>
    internal sealed class Handshake
    {
        private const string User = "game";

        private readonly Wire _wire;
        private readonly FrameReader _reader;
        private readonly string _token;
        private readonly byte[] _buffer = new byte[4096];

        internal Handshake(Wire wire, FrameReader reader, string token)
        {
            _wire = wire;
            _reader = reader;
            _token = token ?? "";
        }

        /// <summary>
        /// Throws NpcException: auth for a refusal, protocol for bytes of something else, connection_lost.
        /// </summary>
        internal void Run(double deadline, Func<bool> isStopped)
        {
            var mechanism = _token.Length > 0 ? "PLAIN" : "NULL";
            _wire.Send(Zmtp.Greeting(mechanism));
            byte[] greeting;
            while ((greeting = _reader.TryTake(Zmtp.GreetingBytes)) == null)
                ReadGreeting(deadline, isStopped);
            var theirs = Zmtp.ReadGreeting(greeting);
            if (theirs != mechanism)
                throw NpcException.Auth("the server's mechanism is " + theirs + ", the client's " + mechanism,
                    theirs == "NULL" ? "this server takes no token" : "set the token that the server wrote");
            if (_token.Length > 0)
            {
                _wire.Send(Zmtp.PlainHello(User, _token));
                ExpectWelcome(deadline, isStopped);
                _wire.Send(Zmtp.Initiate());
            }
            else
            {
                _wire.Send(Zmtp.Ready());
            }
            Expect("READY", deadline, isStopped);
        }

        private void ReadGreeting(double deadline, Func<bool> isStopped)
        {
            try
            {
                ReadSome(deadline, isStopped);
            }
            catch (NpcException error) when (error.IsClosed)
            {
                // a server of another mechanism, which it does not say; or one that went away just then
                throw new NpcException("auth", "the server does not let this client in "
                    + (_token.Length > 0 ? "with a token" : "without a token"),
                    _token.Length > 0 ? "it may have been started without one" : "set the token that the server wrote",
                    true);
            }
        }

        private void ExpectWelcome(double deadline, Func<bool> isStopped)
        {
            try
            {
                Expect("WELCOME", deadline, isStopped);
            }
            catch (NpcException error) when (error.Code == "connection_lost" && !isStopped())
            {
                // a refusal without a word, or a server that went away just then: the next attempt tells
                throw new NpcException("auth", "the server closed the connection when it saw the token",
                    "take the token of this launch of the server", true);
            }
        }

        private void Expect(string name, double deadline, Func<bool> isStopped)
        {
            ZmtpFrame frame;
            while (!_reader.TryRead(out frame))
                ReadSome(deadline, isStopped);
            // libzmq does not always spell its refusal ERROR, so anything else is one
            if (!frame.IsCommand || frame.CommandName() != name)
                throw NpcException.Auth("the server refused " + (_token.Length > 0 ? "the token" : "the connection"),
                    "take the token of this launch of the server");
        }

        private void ReadSome(double deadline, Func<bool> isStopped)
        {
            if (isStopped() || Clock.Now > deadline)
                throw NpcException.Lost("the handshake did not end in time", "is it a bridge server?");
            var count = _wire.Receive(_buffer);
            _reader.Append(_buffer, count);
        }
    }
}
