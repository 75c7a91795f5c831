"""How fast the bridge is beside bare pyzmq sockets that do nothing else. `npc bench bridge` runs it."""
