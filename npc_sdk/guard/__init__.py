"""Checks on what comes in and what goes out. Used by prompt and session."""
