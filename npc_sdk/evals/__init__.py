"""How well a model does on published tests, through any engine. One folder an eval; called by ``npc eval``."""
