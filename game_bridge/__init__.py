"""The socket between a game and its NPCs: protocol, server and client.

Importing this package loads nothing heavy; take ``game_bridge.client`` in the game and
``game_bridge.server`` beside the world.
"""
