"""A seeded storm of clients against a server on loopback, which counts how often each request ends.

Talks frames, not the client library, so that a second terminal could not hide. Run with ``python -m game_bridge.soak``.
"""
