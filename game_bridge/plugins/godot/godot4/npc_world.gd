@tool
## The connection to the NPC server. Put one into the scene, or make it an autoload.
class_name NpcWorld
extends "world_base.gd"

## The server said welcome.
@warning_ignore("unused_signal")
signal connected
## The connection broke; resumed or disconnected follows.
@warning_ignore("unused_signal")
signal interrupted(error: Dictionary)
## The connection is back, and nothing was lost.
@warning_ignore("unused_signal")
signal resumed
## There is no connection: also for each attempt that failed, and with the code "closed" after close().
@warning_ignore("unused_signal")
signal disconnected(error: Dictionary)
## What npcs() gives is another now.
@warning_ignore("unused_signal")
signal npcs_changed

## Where npc serve listens: an IP address or localhost, and its port.
@export var address := "tcp://127.0.0.1:5577":
	set(value):
		address = value
		update_configuration_warnings()
## Where empty: NPC_SERVER_TOKEN's, else the one that npc serve left for its port.
@export var token := ""
## Whether to call open() by itself.
@export var connect_at_start := true
## Whether to connect again after a loss.
@export var reconnect := true
## To connect and shake hands, and for each answer.
@export var timeout_s := 5.0
## Whether npcs_changed comes when the world's files are edited.
@export var hears_edits := false


func _get_configuration_warnings() -> PackedStringArray:
	var fault := _read_address()
	return PackedStringArray() if fault.is_empty() else PackedStringArray([fault["message"]])
