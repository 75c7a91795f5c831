"""What runs inside a bench's child process: one module an engine, all doing what interface.py says."""
