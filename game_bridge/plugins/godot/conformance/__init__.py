"""The conformance script as a Godot 3 game without a window; see __main__.py."""
