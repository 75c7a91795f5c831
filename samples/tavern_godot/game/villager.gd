# One of the village's NPCs as a figure: its node Npc talks, the figure shows it. Reports what happens as entries.
# Knows neither rules nor keys: tavern.gd decides about its calls and sends answer_call.
extends "figure.gd"

signal called(villager, call)
signal happened(entry)

const FOLLOW_DISTANCE = 160.0
const SHRUG = "shrugs"

var npc = null
var home = Vector2.ZERO
var leader = null  # whom it walks after
var is_acting = false
var is_met = false  # whether a session is open, or about to be

var _open_calls = {}  # call_id: call
var _last_path_s = 0.0


func _ready():
	npc = $Npc
	home = position
	add_to_group("villagers")
	for what in ["greeted", "response_updated", "sentence_finished", "response_finished", "response_failed"]:
		npc.connect(what, self, "_on_" + what)
	for what in ["tool_called", "tool_settled", "emote"]:
		npc.connect(what, self, "_on_" + what)


func advance(delta: float) -> void:
	_last_path_s += delta
	if leader == null or is_acting or _last_path_s < 0.3:
		return
	_last_path_s = 0.0
	if position.distance_to(leader.position) > FOLLOW_DISTANCE * 1.4:
		var others = []
		for figure in get_tree().get_nodes_in_group("villagers"):
			if figure != self:
				others.append(figure.position)
		var side = Vector2(position.x, leader.position.y)
		walk_to(Spots.beside(leader.position, side, FOLLOW_DISTANCE, others))


func is_open(call_id: String) -> bool:
	return _open_calls.has(call_id)


# What the game did about a call; one that has ended meanwhile is left alone.
func answer_call(call_id: String, status: String, content) -> void:
	if is_open(call_id):
		npc.answer(call_id, status, content)


# Back to its place, unless it goes with somebody.
func rest() -> void:
	is_acting = false
	if leader == null and position.distance_to(home) > 4:
		walk_to(home)


func _tell(kind: String, text: String, more: Dictionary = {}) -> void:
	var entry = {"who": npc.npc_id, "kind": kind, "text": text}
	for key in more:
		entry[key] = more[key]
	emit_signal("happened", entry)


func _on_greeted(text):
	if not npc.is_busy():
		bubble.say(text)
		_tell("greeting", text)


func _on_response_updated(piece):
	bubble.add(piece)


func _on_sentence_finished(_index, text):
	bubble.end_sentence(text)


func _on_emote(text, _kind):
	show_emote("*%s*" % text)
	_tell("emote", text)


func _on_tool_called(call):
	_open_calls[call["call_id"]] = call
	emit_signal("called", self, call)


func _on_tool_settled(result):
	_open_calls.erase(result["call_id"])
	_tell("act", result["name"], {"status": result["status"], "content": result.get("content")})


func _on_response_finished(text, reason):
	_open_calls.clear()
	if reason == "cancelled":
		bubble.begin()
		show_emote("*falls silent*")
	_tell("end", text, {"how": reason})


# The reply failed: a word of its own where the server sent one, else a shrug; never silence.
func _on_response_failed(error):
	_open_calls.clear()
	var bark = error.get("bark", "")
	bubble.say(bark if bark != null else "")
	show_emote("*%s*" % SHRUG)
	_tell("end", bark if bark else "*%s*" % SHRUG, {"how": "failed", "code": error["code"], "why": error["message"]})
