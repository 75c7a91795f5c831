@tool
## One NPC that the player talks to. Put it under the character.
class_name Npc
extends "npc_base.gd"

## What the NPC says first, when its session opens.
@warning_ignore("unused_signal")
signal greeted(text: String)
## A piece of the reply.
@warning_ignore("unused_signal")
signal response_updated(text: String)
## A whole sentence of it, for voices; the first has the index 0.
@warning_ignore("unused_signal")
signal sentence_finished(index: int, text: String)
## The whole reply; reason is stop, length, cancelled or tool_limit.
@warning_ignore("unused_signal")
signal response_finished(text: String, reason: String)
## No reply: code, message, hint, retryable, and bark, what the NPC may say instead.
@warning_ignore("unused_signal")
signal response_failed(error: Dictionary)
## After either of the two: error is empty, or reason is "failed".
@warning_ignore("unused_signal")
signal ended(text: String, reason: String, error: Dictionary)
## The NPC wants something done: call_id, name, arguments, needs_confirmation. answer() it; where nobody is connected it
## is refused at once.
@warning_ignore("unused_signal")
signal tool_called(wanted: Dictionary)
## How a call ended: call_id, name, status, content.
@warning_ignore("unused_signal")
signal tool_settled(result: Dictionary)
## What the NPC does beside its words.
@warning_ignore("unused_signal")
signal emote(text: String, kind: String)
## The value for the option json_schema.
@warning_ignore("unused_signal")
signal structured(value: Variant)
## What the server remarks about the reply, for the option wants: notices.
@warning_ignore("unused_signal")
signal noticed(notice: Dictionary)

## Which character of the server's this is, for example mara.
@export var npc_id := "":
	set(value):
		npc_id = value
		update_configuration_warnings()
## Who speaks: each player has a conversation of their own.
@export var player := "Traveller"
## The NpcWorld, or its path; where empty, the scene's first. No @export, as that takes either a node or a path.
var world: Variant = null


func _validate_property(property: Dictionary) -> void:
	if property["name"] == "world":
		property["type"] = TYPE_OBJECT
		property["hint"] = PROPERTY_HINT_NODE_TYPE
		property["hint_string"] = "Node"
		property["usage"] = PROPERTY_USAGE_DEFAULT | PROPERTY_USAGE_SCRIPT_VARIABLE


func _get_configuration_warnings() -> PackedStringArray:
	return PackedStringArray([NO_NPC_ID]) if npc_id == "" else PackedStringArray()
