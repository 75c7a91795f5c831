"""``npc eval lore``: whether the search finds what a question is about, and how long it takes.

village.yaml holds our own cases for the sample village.
"""
