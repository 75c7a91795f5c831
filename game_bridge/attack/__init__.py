"""What a hostile peer could do to the bridge, done to a server of our own, in figures. `npc bench attack` runs it."""
