"""One player talking to one NPC: what is asked of the model, what is heard, what is done, what is remembered."""

from npc_sdk.session.session import Session

__all__ = ["Session"]
