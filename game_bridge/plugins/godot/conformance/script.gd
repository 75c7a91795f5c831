# The conformance script, step by step, over the same nodes that a game uses. Prints "ok STEP" for each, and "done".
extends Node

const World = preload("addons/npc_sdk/npc_world.gd")
const Npc_ = preload("addons/npc_sdk/npc.gd")
const Platform = preload("addons/npc_sdk/platform.gd")
const Recorder = preload("recorder.gd")

const STEPS = [
	"connect",
	"wrong_token",
	"talk",
	"stream",
	"tool_accepted",
	"tool_refused",
	"tool_timeout",
	"screenshot",
	"cancel",
	"unknown_npc",
	"state",
	"learn",
	"two_at_once",
	"sessions",
	"structured",
	"confirm",
	"emote",
	"bark",
	"happen",
	"forget",
	"stats",
	"resume",
	"heartbeat",
	"restart",
	"bye",
]
const PATIENCE_S = 40.0

var _host = ""
var _port = 0
var _token = ""
var _world = null
var _mara = null
var _pip = null
var _heard_mara = null
var _heard_pip = null
var _greetings = []
var _connections = 0
var _losses = []
var _interruptions = 0
var _resumptions = 0


func run(host: String, port: int, token: String):
	_host = host
	_port = port
	_token = token
	_world = _make_world(token)
	_world.connect("connected", self, "_on_connected")
	_world.connect("disconnected", self, "_on_disconnected")
	_world.connect("interrupted", self, "_on_interrupted")
	_world.connect("resumed", self, "_on_resumed")
	_mara = _make_npc("mara")
	_pip = _make_npc("pip")
	_heard_mara = Recorder.new(_mara)
	_heard_pip = Recorder.new(_pip)
	for step in _steps():
		var fault = yield(call("_step_" + step), "completed")
		if fault != "":
			print("failed %s: %s" % [step, fault])
			return 1
		print("ok " + step)
	print("done")
	return 0


func _steps() -> Array:
	return STEPS


func _make_world(token: String) -> Node:
	var world = World.new()
	world.connect_at_start = false
	world.address = "tcp://%s:%d" % [_host, _port]
	world.token = token
	world.timeout_s = 20.0
	add_child(world)
	return world


func _make_npc(npc_id: String) -> Node:
	var npc = Npc_.new()
	npc.npc_id = npc_id
	npc.player = "Robin"
	npc.connect("greeted", self, "_on_greeted")
	add_child(npc)
	npc.world = npc.get_path_to(_world)
	return npc


func _on_connected():
	_connections += 1


func _on_disconnected(error):
	_losses.append(error)


func _on_interrupted(_error):
	_interruptions += 1


func _on_resumed():
	_resumptions += 1


func _on_greeted(text):
	_greetings.append(text)


# Waits until a list has so many entries, or patience is over; the next frame comes in any case.
func _until(owner: Object, list: String, count: int, patience_s: float = PATIENCE_S):
	var until_s = Platform.now_s() + patience_s
	yield(get_tree(), "idle_frame")
	while owner.get(list).size() < count and Platform.now_s() < until_s:
		yield(get_tree(), "idle_frame")


func _pause(seconds: float):
	yield(get_tree().create_timer(seconds), "timeout")


# Says something and waits for the end; what ends it, or an empty kind.
func _say(npc: Node, heard, text: String, options: Dictionary = {}):
	npc.ask(text, options)
	yield(_until(heard, "ends", 1), "completed")
	yield(_pause(0.05), "completed")
	return heard.ends[0] if heard.ends.size() == 1 else ["", "%d ends" % heard.ends.size(), ""]


func _settled(ask):
	var until_s = Platform.now_s() + PATIENCE_S
	yield(get_tree(), "idle_frame")
	while not ask.is_settled and Platform.now_s() < until_s:
		yield(get_tree(), "idle_frame")


func _step_connect():
	_world.open()
	var until_s = Platform.now_s() + PATIENCE_S
	yield(get_tree(), "idle_frame")
	while _connections == 0 and _losses.size() == 0 and Platform.now_s() < until_s:
		yield(get_tree(), "idle_frame")
	if _connections != 1:
		return "no welcome: %s" % str(_losses)
	if _world.npcs().get("mara") != "Mara" or _world.npcs().get("pip") != "Pip":
		return "the cast is %s" % str(_world.npcs())
	return ""


func _step_wrong_token():
	yield(get_tree(), "idle_frame")
	if _token == "":
		return ""
	_losses = []
	var stranger = _make_world("wrong")
	stranger.connect("disconnected", self, "_on_disconnected")
	stranger.open()
	yield(_until(self, "_losses", 1), "completed")
	var is_open = stranger.is_open()
	stranger.queue_free()
	if is_open or _losses.size() != 1 or _losses[0]["code"] != "auth":
		return "open: %s, errors: %s" % [str(is_open), str(_losses)]
	return ""


func _step_talk():
	_mara.talk()
	yield(_until(self, "_greetings", 1), "completed")
	return "" if _greetings == ["What do you want?"] else "the greeting is %s" % str(_greetings)


func _step_stream():
	_heard_mara.clear()
	var end = yield(_say(_mara, _heard_mara, "Hello."), "completed")
	if end != ["finished", "Good day to you. Come in.", "stop"]:
		return str(end)
	if _heard_mara.pieces.size() < 2 or _heard_mara.joined() != end[1]:
		return "the pieces are %s" % str(_heard_mara.pieces)
	if _heard_mara.sentences != [[0, "Good day to you."], [1, "Come in."]]:
		return "the sentences are %s" % str(_heard_mara.sentences)
	return ""


func _step_tool_accepted():
	return yield(_tool("Give me the sword.", "sword", "accepted", "accepted", "Here you are."), "completed")


func _step_tool_refused():
	return yield(_tool("Give me the sword.", "sword", "refused", "refused", "Then not."), "completed")


func _step_tool_timeout():
	return yield(_tool("Give me the lamp.", "lamp", "", "timeout", "Well then."), "completed")


func _tool(words: String, item: String, answer: String, status: String, last_words: String):
	_heard_mara.clear()
	_heard_mara.answer_with = answer
	var end = yield(_say(_mara, _heard_mara, words), "completed")
	var calls = _heard_mara.calls
	if calls.size() != 1 or calls[0]["name"] != "give_item" or calls[0]["arguments"]["item"] != item:
		return "the calls are %s; %s" % [str(calls), str(end)]
	if _heard_mara.settled.size() != 1 or _heard_mara.settled[0]["status"] != status:
		return "settled as %s" % str(_heard_mara.settled)
	return "" if end[0] == "finished" and end[1].ends_with(last_words) else str(end)


func _step_screenshot():
	_heard_mara.clear()
	var image = Image.new()
	image.create(1, 1, false, Image.FORMAT_RGB8)
	var options = {"images": [image.save_png_to_buffer()]}
	var end = yield(_say(_mara, _heard_mara, "What is this?", options), "completed")
	return "" if end[0] == "failed" and end[1]["code"] == "unsupported" else str(end)


func _step_cancel():
	_heard_mara.clear()
	_mara.ask("Tell me a story.")
	yield(_until(_heard_mara, "pieces", 1), "completed")
	if not _mara.cancel():
		return "nothing to cancel"
	yield(_until(_heard_mara, "ends", 1), "completed")
	yield(_pause(0.2), "completed")
	var is_so = _heard_mara.ends == [["finished", _heard_mara.joined(), "cancelled"]]
	return "" if is_so and _heard_mara.pieces.size() > 0 else str(_heard_mara.ends)


func _step_unknown_npc():
	var nobody = _make_npc("nobody")
	var heard = Recorder.new(nobody)
	var end = yield(_say(nobody, heard, "Hello?"), "completed")
	nobody.queue_free()
	var is_so = end[0] == "failed" and end[1]["code"] == "unknown_npc" and end[1]["hint"] != ""
	return "" if is_so else str(end)


func _step_state():
	var ask = _world.set_state({"weather": "rain"})
	yield(_settled(ask), "completed")
	return "" if ask.answer.get("type") == "state_ok" else str(ask.error)


func _step_learn():
	var ask = _world.learn("pip", "It rains.", "seen")
	yield(_settled(ask), "completed")
	return "" if ask.answer.get("entry_id", "") != "" else str(ask.error)


func _step_two_at_once():
	_heard_mara.clear()
	_heard_pip.clear()
	_mara.ask("Now?")
	_pip.ask("Now?")
	yield(_until(_heard_mara, "ends", 1), "completed")
	yield(_until(_heard_pip, "ends", 1), "completed")
	yield(_pause(0.1), "completed")
	var is_so = _heard_mara.ends == [["finished", "Mara speaks.", "stop"]] and _heard_mara.joined() == "Mara speaks."
	is_so = is_so and _heard_pip.ends == [["finished", "Pip speaks.", "stop"]] and _heard_pip.joined() == "Pip speaks."
	return "" if is_so else "mara %s, pip %s" % [str(_heard_mara.ends), str(_heard_pip.ends)]


func _step_sessions():
	var ask = _world.sessions()
	yield(_settled(ask), "completed")
	var npcs = []
	for entry in ask.answer.get("sessions", []):
		npcs.append(entry["npc_id"])
	return "" if npcs == ["mara", "pip"] else str([npcs, ask.error])


func _step_structured():
	_heard_mara.clear()
	var schema = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
	var end = yield(_say(_mara, _heard_mara, "Note it down.", {"json_schema": schema}), "completed")
	var is_so = end == ["finished", "", "stop"] and _heard_mara.values.size() == 1
	return "" if is_so and _heard_mara.values[0].get("place") == "the forge" else str([end, _heard_mara.values])


func _step_confirm():
	var agreed = yield(_charge(true, "accepted", "Here you are."), "completed")
	if agreed != "":
		return agreed
	return yield(_charge(false, "refused", "Then not."), "completed")


func _charge(agrees: bool, status: String, last_words: String):
	_heard_mara.clear()
	_heard_mara.agrees = agrees
	_heard_mara.answer_with = "accepted" if agrees else ""
	var end = yield(_say(_mara, _heard_mara, "Take my coin.", {"wants": ["confirm"]}), "completed")
	var calls = _heard_mara.calls
	if calls.size() != 1 or not calls[0].get("needs_confirmation") or int(calls[0]["arguments"]["coins"]) != 2:
		return "the calls are %s; %s" % [str(calls), str(end)]
	if _heard_mara.settled.size() != 1 or _heard_mara.settled[0]["status"] != status:
		return "settled as %s" % str(_heard_mara.settled)
	return "" if end[0] == "finished" and end[1].ends_with(last_words) else str(end)


func _step_emote():
	_heard_mara.clear()
	var end = yield(_say(_mara, _heard_mara, "Smile!"), "completed")
	var is_so = end == ["finished", "There you go.", "stop"] and _heard_mara.emotes == [["action", "smiles"]]
	return "" if is_so else str([end, _heard_mara.emotes])


func _step_bark():
	_heard_mara.clear()
	var end = yield(_say(_mara, _heard_mara, "Faint."), "completed")
	var is_so = end[0] == "failed" and end[1]["code"] == "engine_crashed" and end[1]["bark"] == "Not now."
	return "" if is_so else str(end)


func _step_happen():
	var ask = _world.happen("praised", "mara", "Robin")
	yield(_settled(ask), "completed")
	return "" if ask.answer.get("mood") == "glad" else str([ask.answer, ask.error])


func _step_forget():
	var fact = _world.learn("pip", "The cellar is wet.", "seen")
	yield(_settled(fact), "completed")
	var ask = _world.forget("pip", fact.answer.get("entry_id", ""))
	yield(_settled(ask), "completed")
	return "" if ask.answer.get("type") == "noted" else str([fact.error, ask.error])


func _step_stats():
	var ask = _world.stats()
	yield(_settled(ask), "completed")
	return "" if ask.answer.get("bridge", {}).get("sessions", 0) >= 2 else str([ask.answer, ask.error])


func _step_resume():
	_heard_pip.clear()
	_losses = []
	_heard_pip.cut_after = 10
	_pip.ask("Tell me a story.")
	yield(_until(_heard_pip, "ends", 1, 120.0), "completed")
	yield(_pause(0.1), "completed")
	var ends = _heard_pip.ends
	if ends.size() != 1 or ends[0][0] != "finished" or ends[0][2] != "stop" or _losses.size() != 0:
		return str([ends, _losses])
	if ends[0][1] != _heard_pip.joined() or ends[0][1].split(" ").size() != 400:
		return "the story is broken: " + _heard_pip.joined()
	return "" if _interruptions == 1 and _resumptions == 1 and _connections == 1 else "it was not resumed once"


func _step_heartbeat():
	_losses = []
	yield(_pause(5.0), "completed")
	var ask = _world.ping()
	yield(_settled(ask), "completed")
	return "" if ask.answer.get("type") == "pong" and _losses.size() == 0 else str([ask.error, _losses])


func _step_restart():
	_heard_mara.clear()
	_heard_pip.clear()
	_mara.ask("Tell me a story.")
	yield(_until(_heard_mara, "pieces", 1), "completed")
	var before = _connections
	print("RESTART")
	yield(_until(_heard_mara, "ends", 1), "completed")
	var until_s = Platform.now_s() + 120.0
	while _connections == before and Platform.now_s() < until_s:
		yield(get_tree(), "idle_frame")
	var ends = _heard_mara.ends
	if ends.size() != 1 or ends[0][0] != "failed" or ends[0][1]["code"] != "connection_lost":
		return "the story ended as %s" % str(ends)
	var end = yield(_say(_pip, _heard_pip, "Now?"), "completed")
	return "" if end == ["finished", "Pip speaks.", "stop"] and _heard_mara.ends.size() == 1 else str(end)


func _step_bye():
	var ask = _world.close()
	yield(_settled(ask), "completed")
	yield(_pause(0.1), "completed")
	if ask.answer.get("reason") != "bye":
		return "no goodbye: %s" % str(ask.error)
	return "" if not _world.is_open() and _world.link.state == _world.Link.IDLE else "the socket is open"
