# What NpcWorld does: the connection to the server, and what concerns the world rather than one NPC.
# The exported properties are those of npc_world.gd, as the two languages write them differently.
extends Node

signal connected
signal interrupted(error)
signal resumed
signal disconnected(error)
signal npcs_changed

const Platform = preload("platform.gd")
const Problem = preload("problem.gd")
const Link = preload("link.gd")
const Token = preload("token.gd")
const Picture = preload("picture.gd")

const GROUP = "npc_world"
const FRAME_INTERVAL_S = 0.05
const CLIENT = "npc-sdk godot"

var link = Link.new(self)

var _host = ""
var _port = 0
var _last_request = 0
var _worst_frame_s = 0.0
var _told_frame_s = 0.0


func _enter_tree():
	add_to_group(GROUP)
	Platform.run_while_paused(self)


func _ready():
	if get("connect_at_start"):
		open()


func _process(_delta):
	link.poll()


func _exit_tree():
	link.stop(Problem.make("connection_lost", "the NpcWorld left the scene"))


# Connect, and again after each loss where `reconnect` is on. Ends in connected or disconnected.
func open() -> void:
	var fault = _read_address()
	if fault.size() > 0:
		emit_signal("disconnected", fault)
		return
	link.is_persistent = get("reconnect")
	link.wants_edits = get("hears_edits")
	link.timeout_s = get("timeout_s")
	link.open(_host, _port, CLIENT)


# Say bye and close. Open replies end. The ask that comes back is settled once the server has said goodbye.
func close():
	return link.close()


# Also while it is interrupted: what is said then arrives afterwards.
func is_open() -> bool:
	return link.state == Link.OPEN or (link.core.is_interrupted and link.core.lost.size() == 0)


# npc_id: name
func npcs() -> Dictionary:
	return link.core.npcs


# How the world's names are spoken, for voices.
func pronunciations() -> Dictionary:
	return link.core.pronunciations


func can(capability: String) -> bool:
	return link.core.capabilities.has(capability)


# All methods below ask the server and give an ask back: wait for its signal `settled`, then see `answer` and `error`.
func set_state(values: Dictionary, npc_id: String = ""):
	var body = {"type": "state", "values": values}
	if npc_id != "":
		body["npc_id"] = npc_id
	return link.core.ask(body)


# answer.entry_id is for forget. keys are words that call the fact up.
func learn(npc_id: String, text: String, source: String, keys: Array = []):
	return link.core.ask({"type": "learn", "npc_id": npc_id, "text": text, "source": source, "keys": keys})


# An entry of the lore that the NPC's scope would keep from it.
func learn_entry(npc_id: String, entry_id: String, source: String):
	return link.core.ask({"type": "learn", "npc_id": npc_id, "entry_id": entry_id, "source": source, "keys": []})


func forget(npc_id: String, entry_id: String):
	return link.core.ask({"type": "forget", "npc_id": npc_id, "entry_id": entry_id})


# One of world.yaml's events; answer has mood and relation.
func happen(event: String, npc_id: String, player: String = "Traveller"):
	return link.core.ask({"type": "happen", "event": event, "npc_id": npc_id, "player": player})


# answer.sessions are those of this connection, the oldest first.
func sessions():
	return link.core.ask({"type": "sessions"})


func stats():
	return link.core.ask({"type": "stats"})


func ping():
	return link.core.ask({"type": "ping"})


# Tell how long the last frame took, so that a model on this machine gives way. Cheap enough for every frame.
func note_frame(frame_s: float) -> void:
	_worst_frame_s = max(_worst_frame_s, min(frame_s, 3600.0))
	var now_s = Platform.now_s()
	if now_s - _told_frame_s >= FRAME_INTERVAL_S:
		link.core.hint({"type": "frame", "frame_s": max(_worst_frame_s, 0.0)})
		_told_frame_s = now_s
		_worst_frame_s = 0.0


# A picture of what a viewport shows, as PNG bytes for Npc.ask; empty where nothing is drawn (headless).
func screenshot(viewport: Viewport, max_side: int = 1024):
	var image = Platform.image_of(viewport, max_side)
	return Platform.no_bytes() if image == null else image.save_png_to_buffer()


# The same as one of ask's images, without the work of encoding it where the server takes raw pixels; else empty.
func picture(viewport: Viewport, max_side: int = 1024) -> Array:
	var image = Platform.image_of(viewport, max_side)
	return [] if image == null else Picture.pack(image, can("raw_images"))


# A request_id that this client has not used before.
func next_request_id() -> String:
	_last_request += 1
	return "g-%d" % _last_request


# Called by the link.
func link_opened() -> void:
	emit_signal("connected")
	emit_signal("npcs_changed")


# Called by the link: it broke, and is made anew. resumed or disconnected follows.
func link_interrupted(error: Dictionary) -> void:
	emit_signal("interrupted", error)


# Called by the link: nothing was lost.
func link_resumed() -> void:
	emit_signal("resumed")


# Called by the link.
func link_recast() -> void:
	emit_signal("npcs_changed")


# Called by the link before it dials.
func link_token() -> String:
	return Token.find(str(get("token")), _host, _port)


# Called by the link, also for each attempt that failed.
func link_lost(error: Dictionary) -> void:
	var fault = Token.fault(str(get("token")), _host, _port) if error["code"] == "auth" else ""
	if fault != "":
		error = Problem.make(error["code"], error["message"], fault)
	emit_signal("disconnected", error)


# Empty, or why the address cannot be used.
func _read_address() -> Dictionary:
	var place = str(get("address")).trim_prefix("tcp://")
	var colon = place.rfind(":")
	_host = place.substr(0, colon).trim_prefix("[").trim_suffix("]") if colon > 0 else ""
	_port = int(place.substr(colon + 1, place.length()))
	if _host == "" or _port < 1 or _port > 65535:
		var message = "'%s' is no address to connect to" % str(get("address"))
		return Problem.make("settings", message, "for example tcp://127.0.0.1:5577")
	if str(get("token")) != "" and not Token.is_local(_host):
		return Problem.make("settings", "a token is for this machine only, not for " + _host, "connect to 127.0.0.1")
	return {}
