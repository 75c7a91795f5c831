# What NpcWorld does: the connection to the server, and what concerns the world rather than one NPC.
# Its properties and signals are those of npc_world.gd, as the two languages write them differently.
extends Node

const Platform = preload("platform.gd")
const Problem = preload("problem.gd")
const Link = preload("link.gd")
const Ask = preload("ask.gd")
const Token = preload("token.gd")
const Picture = preload("picture.gd")

const GROUP = "npc_world"
const FRAME_INTERVAL_S = 0.05
const CLIENT = "npc-sdk godot"

var link = null if Engine.is_editor_hint() else Link.new(self)

var _is_wanted = null  # whether the game wants a connection; null until that is known
var _host = ""
var _port = 0
var _last_request = 0
var _worst_frame_s = 0.0
var _told_frame_s = 0.0


# A world that comes back into the tree connects again if it was open.
func _enter_tree():
	if link == null:
		return
	add_to_group(GROUP)
	Platform.follow_frames(self, "_on_frame")
	if _is_wanted == null:
		_is_wanted = get("connect_at_start")
	if _is_wanted:
		_set_up()
		link.expect()
		call_deferred("_open_expected")  # when every node of the scene is ready


func _exit_tree():
	if link == null:
		return
	Platform.leave_frames(self, "_on_frame")
	link.stop(Problem.make("connection_lost", "the NpcWorld left the scene"))


func _on_frame() -> void:
	link.poll()


func _open_expected() -> void:
	if link.is_expected() and is_inside_tree():
		open()


func _set_up() -> void:
	link.is_persistent = get("reconnect")
	link.wants_edits = get("hears_edits")
	link.timeout_s = get("timeout_s")


## Connect, and again after each loss where reconnect is on. Ends in connected or disconnected. Outside of the tree it
## waits until the node is in there.
func open() -> void:
	_is_wanted = true
	if not is_inside_tree():
		return
	var fault = _read_address()
	if fault.size() > 0:
		_is_wanted = false
		link.stop(fault)
		emit_signal("disconnected", fault)
		return
	_set_up()
	link.open(_host, _port, CLIENT)


## Say bye and close. Open replies end. The ask that comes back is settled once the server has said goodbye.
func close() -> Ask:
	_is_wanted = false
	return link.close()


## Also while it is interrupted: what is said then arrives afterwards.
func is_open() -> bool:
	return link.state == Link.OPEN or (link.core.is_interrupted and link.core.lost.size() == 0)


## npc_id: name
func npcs() -> Dictionary:
	return link.core.npcs


## How the world's names are spoken, for voices.
func pronunciations() -> Dictionary:
	return link.core.pronunciations


## Whether the server knows what PROTOCOL.md calls so.
func can(capability: String) -> bool:
	return link.core.capabilities.has(capability)


# All methods below ask the server and give an ask back: wait for its signal `settled`, then see `answer` and `error`.


## State variables, for one NPC or for all.
func set_state(values: Dictionary, npc_id: String = "") -> Ask:
	var body = {"type": "state", "values": values}
	if npc_id != "":
		body["npc_id"] = npc_id
	return link.core.ask(body)


## answer.entry_id is for forget. keys are words that call the fact up.
func learn(npc_id: String, text: String, source: String, keys: Array = []) -> Ask:
	return link.core.ask({"type": "learn", "npc_id": npc_id, "text": text, "source": source, "keys": keys})


## An entry of the lore that the NPC's scope would keep from it.
func learn_entry(npc_id: String, entry_id: String, source: String) -> Ask:
	return link.core.ask({"type": "learn", "npc_id": npc_id, "entry_id": entry_id, "source": source, "keys": []})


## entry_id is what learn answered.
func forget(npc_id: String, entry_id: String) -> Ask:
	return link.core.ask({"type": "forget", "npc_id": npc_id, "entry_id": entry_id})


## One of world.yaml's events; answer has mood and relation.
func happen(event: String, npc_id: String, player: String = "Traveller") -> Ask:
	return link.core.ask({"type": "happen", "event": event, "npc_id": npc_id, "player": player})


## answer.sessions are those of this connection, the oldest first.
func sessions() -> Ask:
	return link.core.ask({"type": "sessions"})


## How the server and its model are doing.
func stats() -> Ask:
	return link.core.ask({"type": "stats"})


## Whether the server answers.
func ping() -> Ask:
	return link.core.ask({"type": "ping"})


## Tell how long the last frame took, so that a model on this machine gives way. Cheap enough for every frame.
func note_frame(frame_s: float) -> void:
	_worst_frame_s = max(_worst_frame_s, min(frame_s, 3600.0))
	var now_s = Platform.now_s()
	if now_s - _told_frame_s >= FRAME_INTERVAL_S:
		link.core.hint({"type": "frame", "frame_s": max(_worst_frame_s, 0.0)})
		_told_frame_s = now_s
		_worst_frame_s = 0.0


## A picture of what a viewport shows, as PNG bytes for Npc.ask; empty where nothing is drawn (headless).
func screenshot(viewport: Viewport, max_side: int = 1024):
	var image = Platform.image_of(viewport, max_side)
	return Platform.no_bytes() if image == null else image.save_png_to_buffer()


## The same as one of ask's images, without the work of encoding it where the server takes raw pixels; else empty.
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
	_host = place.substr(0, colon).to_lower().trim_prefix("[").trim_suffix("]") if colon > 0 else ""
	_port = int(place.substr(colon + 1, place.length()))
	if _host == "" or _port < 1 or _port > 65535:
		var message = "'%s' is no address to connect to" % str(get("address"))
		return Problem.make("settings", message, "for example tcp://127.0.0.1:5577")
	if _host != "localhost" and not _host.is_valid_ip_address():
		var message = "'%s' is neither an IP address nor localhost" % _host
		return Problem.make("settings", message, "other names are not looked up")
	if str(get("token")) != "" and not Token.is_local(_host):
		return Problem.make("settings", "a token is for this machine only, not for " + _host, "connect to 127.0.0.1")
	return {}
