"""A model in a process of its own: what breaks there breaks nothing here. Import it through engine.py only."""
