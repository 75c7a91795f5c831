# Connects once, says something at once, and prints how the connection and the reply ended.
extends Node

const WorldNode = preload("addons/npc_sdk/npc_world.gd")
const NpcNode = preload("addons/npc_sdk/npc.gd")

var world = null

var _address = ""
var _ends = 0


func _init(address: String):
	_address = address


func _ready():
	world = WorldNode.new()
	world.address = _address
	world.connect_at_start = false
	world.reconnect = false
	add_child(world)
	world.connect("connected", self, "_on_connected")
	world.connect("disconnected", self, "_on_disconnected")
	world.open()


# Only a peer that gets so far as to say welcome hears the player.
func _on_connected():
	print("connected")
	var npc = NpcNode.new()
	npc.npc_id = "mara"
	npc.connect("response_failed", self, "_on_failed")
	npc.connect("response_finished", self, "_on_finished")
	add_child(npc)
	npc.ask("Hello.")
	world.set_state({"weather": "rain"})  # nobody listens for its error


func _on_failed(error):
	_ends += 1
	print("failed ", error["code"])


func _on_finished(text, _reason):
	_ends += 1
	print("finished ", text)


func _on_disconnected(error):
	print("disconnected ", error["code"], " after ", _ends, " ends: ", error["message"], " (", error["hint"], ")")
	get_tree().quit(0)
