"""What the character of a case can know: as a new conversation finds it, with the case's own state laid over.

Called by case.py, which refuses what cannot be answered, and by run.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from npc_sdk.lore.content import WorldContent
from npc_sdk.lore.scan import Viewer
from npc_sdk.messages import JsonValue
from npc_sdk.session.feelings import Feelings
from npc_sdk.session.learned import Learned
from npc_sdk.session.state import GameState
from npc_sdk.session.viewpoint import Viewpoint

PLAYER = "Traveller"


def viewer_of(content: WorldContent, npc_id: str, state: Mapping[str, JsonValue]) -> Viewer:
    """Who a character is to the lore, on the world's first day and in this state of the game."""
    names = {one: persona.name for one, persona in content.personas.items()}
    persona = content.personas[npc_id]
    moment = Viewpoint(npc_id, persona, content.world, GameState(), Feelings(), Learned(), names)
    return moment.view(PLAYER, state).viewer
