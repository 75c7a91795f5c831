# The connection to the NPC server. Put one into the scene; see world_base.gd for its methods and signals.
extends "world_base.gd"
class_name NpcWorld

export var address = "tcp://127.0.0.1:5577"
export var token = ""  # where empty: NPC_SERVER_TOKEN's, else the one that npc serve left for its port
export var connect_at_start = true
export var reconnect = true
export var timeout_s = 5.0  # to connect and shake hands, and for each answer
export var hears_edits = false
