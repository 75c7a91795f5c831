"""What authors write: personas, the world's rules and tools; loaded from YAML and validated."""
