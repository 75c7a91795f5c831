"""Seeded storms of clients against a server on loopback: does each request end once, does every word come once?

Talks frames, not the client library, so that a second terminal could not hide. Run with ``python -m game_bridge.soak``.
"""
