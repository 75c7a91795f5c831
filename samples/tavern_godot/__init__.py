"""A small tavern in Godot with three of the village's NPCs: a game in a real engine, as a studio would begin one."""
