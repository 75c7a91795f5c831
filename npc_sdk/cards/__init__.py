"""Character cards and lorebooks of other programs: read with bounds, turned into our files and back, all of it told."""
