# What Npc does: one player's conversation with one NPC. The first words open the session, also after a reconnection.
# Its properties and signals are those of npc.gd, as the two languages write them differently.
extends Node

const Problem = preload("problem.gd")
const Core = preload("core.gd")
const Ask = preload("ask.gd")
const WorldBase = preload("world_base.gd")

const OPTIONS = ["images", "priority", "timeout_s", "start_by_s", "tool_choice", "json_schema", "wants"]
const _WANTS = ["emotes", "confirm", "notices", "barks"]
const _WANTED = ["emotes", "barks"]  # unless ask is told otherwise
const NO_NPC_ID = "npc_id is empty: set it to one of the server's characters, for example mara."

## Of the reply that is open, or of the last one.
var said = ""

var _world = null
var _named = null  # what the property world was when _world was found
var _nowhere = null  # answers while there is no NpcWorld
var _core = null  # the connection that the session belongs to
var _pair = []  # npc_id and player that it was opened with
var _session_id = ""
var _opening = null
var _request = {}  # that waits for the session: {body, images}
var _request_id = ""
var _worldless = 0  # asks without a world


func _exit_tree():
	if _request_id != "":
		var last = _core.abandon(_request_id) if _core != null else {}
		hear(last if last.size() > 0 else _cancelled())
	leave()


## Whether a reply is open.
func is_busy() -> bool:
	return _request_id != ""


## Open a session ahead of the first words, in place of the one before: greeted comes. The ask tells of errors.
func talk() -> Ask:
	var core = _connection()
	if _opening != null and _core == core and _pair == _wanted_pair():
		return _opening
	if _core != null:
		_leave()
	_core = core
	_pair = _wanted_pair()
	var asked = core.ask({"type": "talk", "npc_id": _pair[0], "player": _pair[1]})
	_opening = asked
	asked.listen(self, "_on_talking")
	return asked


## The player speaks. Ends in exactly one response_finished or response_failed, after this call has returned.
## Gives the request's id back, or nothing while a reply is open: then nothing was asked and no signal follows.
## options: those of OPTIONS, as PROTOCOL.md's say has them, but images are PNG bytes, or [media_type, bytes].
func ask(text: String, options: Dictionary = {}) -> String:
	if is_busy():
		push_warning("npc_sdk: '%s' is still replying; wait for its end or cancel() it" % str(get("npc_id")))
		return ""
	said = ""
	_request_id = _next_request_id()
	var body = {"type": "say", "request_id": _request_id, "text": text, "priority": "player", "wants": _WANTED}
	_request = {"body": body, "images": []}
	var error = _read_options(options)
	if error.size() > 0:
		_request = {}
		_connection().fail_later(self, _request_id, error)
	elif _has_session():
		_say()
	else:
		talk()
	return _request_id


## Stop the reply; response_finished comes with the text so far and the reason cancelled. False if none is open.
func cancel() -> bool:
	if not is_busy():
		return false
	if _request.size() > 0 or _core == null or not _core.cancel(_request_id):
		hear(_cancelled())  # the server knows nothing of it
	return true


## What the game did about a tool_called: status is accepted or refused, content a value or the reason.
## False if that is no answer, or if the call is not open any more.
func answer(call_id: String, status: String, content = null) -> bool:
	return _is_well(_core.answer(_request_id, call_id, status, content) if _core != null else _no_session())


## Whether the player agrees to a call with needs_confirmation (ask with wants: confirm). Agreed, answer comes next.
func confirm(call_id: String, is_agreed: bool, reason: String = "") -> bool:
	return _is_well(_core.confirm(_request_id, call_id, is_agreed, reason) if _core != null else _no_session())


## The player walks up: the reply will be there sooner.
func approach() -> void:
	if _has_session():
		_core.hint({"type": "approach", "session_id": _session_id})
	else:
		_connection().hint({"type": "approach", "npc_id": str(get("npc_id")), "player": str(get("player"))})


## All of the player's words so far, typed or recognised. Needs a session: talk() when the input opens.
func typing(text: String) -> void:
	if _has_session():
		_core.hint({"type": "typing", "session_id": _session_id, "text": text})


## State variables for this NPC alone.
func set_state(values: Dictionary) -> Ask:
	return _connection().ask({"type": "state", "values": values, "npc_id": str(get("npc_id"))})


## End the session; the next words open a new one.
func leave() -> void:
	if _request.size() > 0:
		hear(_cancelled())
	_leave()


func _leave() -> void:
	if _session_id != "" and _core.lost.size() == 0:
		_core.ask({"type": "leave", "session_id": _session_id}).is_quiet = true
	if _opening != null:
		_core.regret(_opening, Problem.make("unknown_session", "the NPC was left before the session was there"))
	_session_id = ""
	_opening = null
	_core = null


# Called by the connection for each event of the reply that is open.
func hear(event: Dictionary) -> void:
	if event["request_id"] != _request_id:
		return
	match event["type"]:
		"text":
			said += event["text"]
			emit_signal("response_updated", event["text"])
		"sentence":
			emit_signal("sentence_finished", event["index"], event["text"])
		"emote":
			emit_signal("emote", event["text"], event["kind"])
		"tool_call":
			_call_tool(event)
		"tool_settled":
			emit_signal("tool_settled", event)
		"structured":
			emit_signal("structured", event.get("value"))
		"notice":
			emit_signal("noticed", event)
		"finished":
			_close_request()
			emit_signal("response_finished", event["text"], event["finish_reason"])
			emit_signal("ended", event["text"], event["finish_reason"], {})
		"failed":
			_close_request()
			emit_signal("response_failed", Problem.read(event))
			emit_signal("ended", event["text"], "failed", Problem.read(event))


# A call that nobody hears of would hold the reply up until its time is over.
func _call_tool(event: Dictionary) -> void:
	if get_signal_connection_list("tool_called").size() > 0:
		emit_signal("tool_called", event)
		return
	push_warning("npc_sdk: nobody is connected to tool_called: '%s' of '%s' is refused" % [event["name"], _pair[0]])
	answer(event["call_id"], "refused", "That cannot be done.")


func _close_request() -> void:
	_request_id = ""
	_request = {}


func _cancelled() -> Dictionary:
	return {"type": "finished", "request_id": _request_id, "text": said, "finish_reason": "cancelled"}


func _on_talking(asked) -> void:
	if asked != _opening:
		return
	_opening = null
	if asked.error.size() > 0:
		if _request.size() > 0:
			hear(Problem.failed(_request_id, asked.error, ""))
		else:
			asked.warn()
		return
	_session_id = asked.answer["session_id"]
	emit_signal("greeted", asked.answer["greeting"])
	if _request.size() > 0:
		_say()


func _say() -> void:
	var request = _request
	_request = {}
	request["body"]["session_id"] = _session_id
	var wanted = []
	for want in request["body"]["wants"]:
		if _core.capabilities.has(want):
			wanted.append(want)
	request["body"]["wants"] = wanted
	if wanted.size() == 0:
		request["body"].erase("wants")
	_core.say(self, request["body"], request["images"])


# Empty, or what is wrong with the options.
func _read_options(options: Dictionary) -> Dictionary:
	for option in options:
		if not OPTIONS.has(option):
			var hint = "there are: " + str(OPTIONS)
			return Problem.make("bad_request", "ask() has no option '%s'" % str(option), hint)
		if option != "images":
			_request["body"][option] = options[option]
	var types = []
	for image in options.get("images", []):
		var is_pair = typeof(image) == TYPE_ARRAY and image.size() == 2
		types.append(image[0] if is_pair else "image/png")
		_request["images"].append(image[1] if is_pair else image)
	_request["body"]["images"] = types
	for want in _request["body"]["wants"]:
		if not _WANTS.has(want):
			return Problem.make("bad_request", "there is no want '%s'" % str(want), "there are: " + str(_WANTS))
	return {}


func _is_well(error: Dictionary) -> bool:
	if error.size() > 0:
		push_warning("npc_sdk: " + Problem.told(error))
	return error.size() == 0


func _no_session() -> Dictionary:
	return Problem.make("unknown_request", "no reply is open")


func _wanted_pair() -> Array:
	return [str(get("npc_id")), str(get("player"))]


# Whether the session is of the world's connection of this moment, and of the character and the player that are set.
func _has_session() -> bool:
	return _session_id != "" and _core == _connection() and _pair == _wanted_pair()


func _next_request_id() -> String:
	var world = _find_world()
	if world != null:
		return world.next_request_id()
	_worldless += 1
	return "none-%d" % _worldless


# The world's connection of this moment; one that is lost for ever where there is no world.
func _connection():
	var world = _find_world()
	if world != null:
		return world.link.core
	if _nowhere == null:
		_nowhere = Core.new()
	_nowhere.lost = _no_world()
	return _nowhere


# Null where there is none: one that is outside of the scene tree hears nobody.
func _find_world():
	var named = get("world")
	if _world != null and is_instance_valid(_world) and _world.is_inside_tree() and _is_same(named, _named):
		return _world
	_named = named
	_world = _named_world(named) if _is_named(named) else _first_world()
	return _world


func _named_world(named):
	var found = named
	if typeof(named) != TYPE_OBJECT:
		found = get_node_or_null(named) if is_inside_tree() else null
	return found if found is WorldBase and found.is_inside_tree() else null


func _first_world():
	var worlds = get_tree().get_nodes_in_group(WorldBase.GROUP) if is_inside_tree() else []
	return worlds[0] if worlds.size() > 0 else null


# A node that was freed counts as none.
func _is_named(named) -> bool:
	if typeof(named) == TYPE_OBJECT:
		return is_instance_valid(named)
	return named != null and str(named) != ""


func _is_same(named, before) -> bool:
	return typeof(named) == typeof(before) and named == before


func _no_world() -> Dictionary:
	var named = get("world")
	if not is_inside_tree():
		return Problem.make("settings", "the Npc '%s' is not in the scene tree" % name, "add it to the scene first")
	if not _is_named(named):
		return Problem.make("settings", "the scene has no NpcWorld", "add one, or set the property world")
	var shown = named.name if typeof(named) == TYPE_OBJECT else str(named)
	var message = "the property world of '%s' leads to no NpcWorld in the scene: '%s'" % [name, shown]
	return Problem.make("settings", message, "choose the NpcWorld, or leave the property empty")
