# Plays evening.json as a player would, prints what happened as JSON lines, and ends the game with how it went.
# Knows tavern.gd's methods and its signal. Started where the game is given --tavern-evening=1.
extends "patience.gd"

const Expect = preload("expect.gd")
const Spots = preload("spots.gd")

var _is_scripted = false  # whether the NPCs say what the script knows, so that it can have one fail
var _entries = []  # of this step
var _counts = {"say": 0, "end": 0}
var _stood = {}  # npc_id: pixels walked before this step
var _faults = []


func _init(tavern: Node, arguments: Dictionary):
	_tavern = tavern
	_pictures = arguments.get("pictures", "")
	_is_scripted = arguments.has("scripted")
	_patience_s = float(arguments.get("patience", "20"))
	Engine.time_scale = float(arguments.get("speed", "1"))
	Engine.target_fps = 60


func run():
	_tavern.connect("happened", self, "_on_happened")
	for step in _read_steps():
		if step.get("scripted", false) and not _is_scripted:
			continue
		_begin(step)
		var fault = yield(call("_do_" + step["do"], step), "completed")
		if fault == "":
			fault = yield(_check(step.get("then", {})), "completed")
		_print("step", {"do": step["do"], "about": step.get("about", ""), "fault": fault})
		if fault != "":
			_faults.append(fault)
	var asked = _counts["say"]
	var ended = _counts["end"]
	_print("closing", {"asked": asked, "ended": ended, "faults": _faults.size()})
	_tavern.disconnect("happened", self, "_on_happened")
	yield(_settled(_tavern.world.close()), "completed")
	get_tree().quit(0 if _faults.size() == 0 and asked == ended else 1)


func _begin(step: Dictionary) -> void:
	_step = step
	_entries = []
	_is_pictured = _pictures == "" or not step.has("picture")
	for npc_id in _tavern.villagers:
		_stood[npc_id] = _tavern.villagers[npc_id].walked


func _do_connect(_step):
	return yield(_until("_is_connected"), "completed")


func _do_walk(step):
	var goal = step.get("to", "")
	if _tavern.villagers.has(goal):
		var there = _tavern.villagers[goal].position
		var spot = Vector2(step["at"][0], step["at"][1]) if step.has("at") else Vector2.ZERO
		_tavern.player.walk_to(spot if step.has("at") else Spots.beside(there, _tavern.player.position, 150))
	else:
		_tavern.player.walk_to(Vector2(step["at"][0], step["at"][1]))
	yield(_until("_has_arrived"), "completed")
	return "" if goal == "" or _tavern.nearest() == _tavern.villagers[goal] else "%s is not near" % goal


# Type the words and say them, in other words if the act that is hoped for does not come.
func _do_say(step):
	var fault = ""
	for words in step["words"]:
		yield(_type(step["to"], words), "completed")
		_tavern.say(_tavern.villagers[step["to"]], words)
		fault = yield(_until("_has_ended"), "completed")
		if fault == "":
			fault = Expect.hope_fault(_entries, step.get("hope", []))
		if fault == "":
			break
	yield(_calm(), "completed")
	_tavern.talk_box.shut()
	return fault


func _do_all(step):
	yield(_pause(0.1), "completed")
	var heard_by = _tavern.shout(step["words"][0])
	if heard_by != step["by"]:
		return "heard by %s" % str(heard_by)
	var fault = yield(_until("_have_all_ended"), "completed")
	yield(_calm(), "completed")
	return fault


func _do_look(step):
	yield(_pause(0.1), "completed")
	_tavern.look(_tavern.villagers[step["to"]])
	yield(_until("_has_ended"), "completed")
	yield(_calm(), "completed")
	var end = _last("end")
	return "" if end.get("code") == "unsupported" else "the look ended in %s" % str(end)


# The model breaks: the NPC says a bark instead, and the talk goes on.
func _do_fail(step):
	yield(_pause(0.1), "completed")
	_tavern.say(_tavern.villagers[step["to"]], step["words"][0])
	yield(_until("_has_ended"), "completed")
	yield(_calm(), "completed")
	var end = _last("end")
	var is_so = end.get("code") == "engine_crashed" and not end["text"].begins_with("*")
	return "" if is_so else "ended in %s" % str(end)


# Cut a story short after its first sentence.
func _do_cancel(step):
	var villager = _tavern.villagers[step["to"]]
	yield(_type(step["to"], step["words"][0]), "completed")
	_tavern.say(villager, step["words"][0])
	yield(_until("_is_heard"), "completed")
	if not _tavern.cancel(villager):
		return "there was nothing to cancel"
	yield(_until("_has_ended"), "completed")
	_tavern.talk_box.shut()
	var end = _last("end")
	return "" if end.get("how") == "cancelled" and end["text"] != "" else "ended in %s" % str(end)


func _do_pick(_step):
	yield(_pause(0.1), "completed")
	return _tavern.pick_up()


func _do_bring(step):
	yield(_pause(0.1), "completed")
	var fault = _tavern.bring(step["item"], _tavern.villagers[step["to"]])
	if fault == "":
		fault = yield(_until("_has_ended"), "completed")
	if fault == "":
		fault = yield(_until("_is_felt"), "completed")
	yield(_calm(), "completed")
	return fault


# The server goes down in the middle of a reply and comes back; whoever started this game sees to it.
func _do_restart(step):
	_tavern.say(_tavern.villagers[step["to"]], step["words"][0])
	yield(_until("_is_begun"), "completed")
	_print("restart", {})
	var fault = yield(_until("_is_cut_off"), "completed")
	yield(_calm(), "completed")
	if fault == "" and _last("end").get("code") != "connection_lost":
		return "ended in %s" % str(_last("end"))
	return yield(_until("_is_connected"), "completed") if fault == "" else fault


func _is_connected() -> bool:
	return _tavern.world.is_open() and _tavern.world.npcs().size() > 0


func _has_arrived() -> bool:
	return not _tavern.player.is_walking()


func _is_heard() -> bool:
	return _tavern.villagers[_step["to"]].npc.said.length() > 30


func _is_begun() -> bool:
	return _tavern.villagers[_step["to"]].npc.said != "" or _has_ended()


func _is_cut_off() -> bool:
	return _has_ended() and _last("status").get("text") == "connection_lost"


func _has_ended() -> bool:
	return not _tavern.villagers[_step["to"]].npc.is_busy()


func _have_all_ended() -> bool:
	for npc_id in _step["by"]:
		if _tavern.villagers[npc_id].npc.is_busy():
			return false
	return true


func _is_felt() -> bool:
	return _last("feels").size() > 0


# What must be true after a step; things that take a moment get it.
func _check(wanted: Dictionary):
	var until_s = Platform.now_s() + _patience_s
	var fault = Expect.fault_of(_tavern, wanted, _stood)
	yield(get_tree(), "idle_frame")
	while fault != "" and Platform.now_s() < until_s:
		yield(get_tree(), "idle_frame")
		fault = Expect.fault_of(_tavern, wanted, _stood)
	return fault


func _read_steps() -> Array:
	return parse_json(Platform.read_file("res://evening.json"))


func _on_happened(entry):
	_entries.append(entry)
	if _counts.has(entry["kind"]):
		_counts[entry["kind"]] += 1
	_print("entry", entry)


func _last(kind: String) -> Dictionary:
	for i in range(_entries.size() - 1, -1, -1):
		if _entries[i]["kind"] == kind:
			return _entries[i]
	return {}


func _print(kind: String, entry: Dictionary) -> void:
	# stderr, as the engine holds stdout back; to_json leaves line ends as they are
	printerr("%s %s" % [kind, to_json(entry).replace("\n", "\\n")])
