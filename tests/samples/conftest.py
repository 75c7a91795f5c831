"""Makes the sensible server a fixture of every test here."""

from tavern_server import serve

__all__ = ["serve"]
