"""Turns a persona, what it knows and what was said into a prompt that fits the model's window."""
