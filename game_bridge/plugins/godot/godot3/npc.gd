# One NPC that the player talks to. Put it under the character; see npc_base.gd for its methods.
tool
extends "npc_base.gd"
class_name Npc

signal greeted(text)
signal response_updated(text)
signal sentence_finished(index, text)
signal response_finished(text, reason)
signal response_failed(error)
signal ended(text, reason, error)  # after either of the two; reason is "failed" and error holds something, or is empty
signal tool_called(wanted)  # answer() it; refused by itself where nobody is connected
signal tool_settled(result)
signal emote(text, kind)
signal structured(value)
signal noticed(notice)

export var npc_id = "" setget _set_npc_id
export var player = "Traveller"
export(NodePath) var world = NodePath()  # a path or a node; where empty, the scene's first NpcWorld


func _set_npc_id(value) -> void:
	npc_id = value
	update_configuration_warning()


func _get_configuration_warning() -> String:
	return NO_NPC_ID if str(npc_id) == "" else ""
