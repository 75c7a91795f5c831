"""``npc eval calls``: that whatever weights write under a constraint is speech and valid calls, and ends."""
