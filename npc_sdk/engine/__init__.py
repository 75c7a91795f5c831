"""Models behind one seam: interface.py is what sessions see, create.py makes an engine by name or path."""
