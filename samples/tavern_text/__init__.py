"""A text adventure whose characters live on the NPC server. It talks to them only through game_bridge.client."""
