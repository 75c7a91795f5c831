# The connection to the NPC server. Put one into the scene; see world_base.gd for its methods.
tool
extends "world_base.gd"
class_name NpcWorld

signal connected
signal interrupted(error)  # the connection broke; resumed or disconnected follows
signal resumed  # nothing was lost
signal disconnected(error)  # also for each attempt that failed; with the code "closed" after close()
signal npcs_changed

export var address = "tcp://127.0.0.1:5577" setget _set_address
export var token = ""  # where empty: NPC_SERVER_TOKEN's, else the one that npc serve left for its port
export var connect_at_start = true
export var reconnect = true
export var timeout_s = 5.0  # to connect and shake hands, and for each answer
export var hears_edits = false


func _set_address(value) -> void:
	address = value
	update_configuration_warning()


func _get_configuration_warning() -> String:
	return _read_address().get("message", "")
