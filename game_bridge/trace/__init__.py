"""Traffic of the bridge in a file: recorded between client and server, shown, and played again. `npc-bridge trace`."""
