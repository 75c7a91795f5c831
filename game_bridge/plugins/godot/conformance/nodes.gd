# What the nodes do at the edges of their lives: without a world, unconnected, asked too much, taken out of the scene.
extends "worlds.gd"

const Picture = preload("addons/npc_sdk/picture.gd")
const Core = preload("addons/npc_sdk/core.gd")
const Msgpack = preload("addons/npc_sdk/msgpack.gd")

const EDGES = [
	"no_world",
	"not_connected",
	"connect",
	"asked_twice",
	"bad_option",
	"cancel_at_once",
	"npc_leaves",
	"new_session",
	"leaves_while_opening",
	"late_talk",
	"given_up_while_broken",
	"bad_values",
	"packed_values",
	"late_answer",
	"wrong_status",
	"nobody_hears_calls",
	"ended",
	"hints",
	"another_character",
	"asked_early",
	"world_chosen",
	"wrong_world",
	"disabled_world",
	"world_away",
	"late_cancel",
	"closed",
	"host_name",
	"no_screenshot",
	"raw_picture",
	"world_leaves",
]

var _guest_results = []


func _steps() -> Array:
	return EDGES


func _step_no_world():
	_world.remove_from_group("npc_world")
	var lonely = Npc_.new()
	add_child(lonely)
	var end = yield(_say(lonely, Recorder.new(lonely), "Anybody?"), "completed")
	_world.add_to_group("npc_world")
	lonely.queue_free()
	return "" if end[0] == "failed" and end[1]["code"] == "settings" else str(end)


func _step_not_connected():
	_heard_mara.clear()
	_mara.ask("Hello.")
	if _heard_mara.ends.size() > 0:
		return "the end came before ask returned"
	yield(_until(_heard_mara, "ends", 1), "completed")
	var is_so = _heard_mara.ends.size() == 1 and _heard_mara.ends[0][1]["code"] == "connection_lost"
	return "" if is_so and not _mara.is_busy() else str(_heard_mara.ends)


func _step_asked_twice():
	_heard_mara.clear()
	_mara.ask("Now?")
	var second = _mara.ask("And now?")
	yield(_until(_heard_mara, "ends", 1), "completed")
	yield(_pause(0.1), "completed")
	return "" if second == "" and _heard_mara.ends == [["finished", "Mara speaks.", "stop"]] else str(_heard_mara.ends)


func _step_bad_option():
	_heard_mara.clear()
	var end = yield(_say(_mara, _heard_mara, "Now?", {"tool": "give_item"}), "completed")
	return "" if end[0] == "failed" and end[1]["code"] == "bad_request" and not _mara.is_busy() else str(end)


func _step_cancel_at_once():
	_heard_pip.clear()
	_pip.ask("Now?")
	if not _pip.cancel() or _pip.cancel():
		return "cancel is not true once"
	yield(_until(_heard_pip, "ends", 1), "completed")
	yield(_pause(0.1), "completed")
	return "" if _heard_pip.ends == [["finished", "", "cancelled"]] else str(_heard_pip.ends)


func _step_npc_leaves():
	var guest = _make_npc("mara")
	var heard = Recorder.new(guest)
	guest.ask("Tell me a story.")
	yield(_until(heard, "pieces", 2), "completed")
	remove_child(guest)
	var pieces = heard.pieces.size()
	yield(_pause(0.3), "completed")
	guest.queue_free()
	var is_so = heard.ends == [["finished", heard.joined(), "cancelled"]] and heard.pieces.size() == pieces
	return "" if is_so and pieces > 1 else str(heard.ends)


func _step_new_session():
	_heard_pip.clear()
	_pip.leave()
	var end = yield(_say(_pip, _heard_pip, "Now?"), "completed")
	_pip.talk()
	_pip.talk()
	_heard_pip.clear()
	var again = yield(_say(_pip, _heard_pip, "Now?"), "completed")
	var expected = ["finished", "Pip speaks.", "stop"]
	return "" if end == expected and again == expected else "%s, %s" % [str(end), str(again)]


func _step_leaves_while_opening():
	var before = yield(_sessions(), "completed")
	var guest = _make_npc("mara")
	var heard = Recorder.new(guest)
	guest.ask("Now?")
	var asked = guest.talk()
	guest.leave()
	yield(_settled(asked), "completed")
	var after = yield(_sessions(), "completed")
	guest.queue_free()
	var is_so = heard.ends == [["finished", "", "cancelled"]] and asked.error.get("code") == "unknown_session"
	return "" if is_so and after == before and not guest.is_busy() else str([heard.ends, asked.error, before, after])


func _step_late_talk():
	var before = yield(_sessions(), "completed")
	var guest = _make_npc("mara")
	_world.link.core.answer_s = -1.0
	var asked = guest.talk()
	_world.link.core.answer_s = 5.0
	yield(_settled(asked), "completed")
	var after = yield(_sessions(), "completed")
	guest.queue_free()
	return "" if asked.error.get("code") == "timeout" and after == before else str([asked.error, before, after])


func _step_given_up_while_broken():
	yield(get_tree(), "idle_frame")
	var core = Core.new()
	var welcome = {"type": "welcome", "protocol": 1, "capabilities": [], "npcs": [], "limits": core.limits}
	welcome["resume"] = "0123456789abcdef01234567"
	core._take(welcome)
	core.interrupt()
	core.answer_s = -1.0
	core.ask({"type": "talk", "npc_id": "mara"})
	core.ask({"type": "leave", "session_id": "s"})
	core.poll()
	welcome["resumed"] = true
	welcome["heard"] = 0
	core._take(welcome)
	var types = []
	for frames in core.outgoing:
		types.append(Msgpack.new().unpack(frames[0])["type"])
	return "" if types == ["ping", "leave"] else str(types)


func _step_bad_values():
	var ask = _world.set_state({"place": Vector2(1, 2)})
	yield(_settled(ask), "completed")
	var large = _world.set_state({"book": "x".repeat(300000)})
	yield(_settled(large), "completed")
	var codes = [ask.error.get("code"), large.error.get("code")]
	return "" if codes == ["protocol", "too_large"] else str(codes)


func _step_packed_values():
	var packed = {
		"texts": PoolStringArray(["sword", "shield"]),
		"counts": PoolIntArray([1, -2]),
		"shares": PoolRealArray([0.5]),
	}
	var read = Msgpack.new().unpack(Msgpack.new().pack(packed))
	var bytes = Msgpack.new()
	bytes.pack({"bytes": PoolByteArray([1])})
	if bytes.error == "" or str(read) != str({"texts": ["sword", "shield"], "counts": [1, -2], "shares": [0.5]}):
		return str([read, bytes.error])
	var ask = _world.set_state({"signs": packed["texts"]})
	yield(_settled(ask), "completed")
	return "" if ask.error.size() == 0 else str(ask.error)


func _step_late_answer():
	yield(get_tree(), "idle_frame")
	return "a call that never was could be answered" if _mara.answer("call-99", "accepted") else ""


func _step_wrong_status():
	_heard_mara.clear()
	_mara.ask("Give me the sword.")
	yield(_until(_heard_mara, "calls", 1), "completed")
	var call_id = _heard_mara.calls[0]["call_id"]
	var answers = [_mara.answer(call_id, "maybe"), _mara.answer(call_id, "refused", "No.")]
	answers.append(_mara.answer(call_id, "refused"))
	yield(_until(_heard_mara, "ends", 1), "completed")
	var is_so = answers == [false, true, false] and _heard_mara.settled[0]["status"] == "refused"
	return "" if is_so and _heard_mara.ends[0][0] == "finished" else str([answers, _heard_mara.settled, _heard_mara.ends])


func _step_nobody_hears_calls():
	var guest = _make_npc("mara")
	guest.connect("tool_settled", self, "_on_guest_settled")
	guest.ask("Give me the sword.")
	var end = yield(guest, "ended")
	guest.queue_free()
	return "" if _guest_results == ["refused"] and end[1] == "stop" else str([_guest_results, end])


func _on_guest_settled(result):
	_guest_results.append(result["status"])


func _step_ended():
	var guest = _make_npc("pip")
	guest.ask("Now?")
	var end = yield(guest, "ended")
	guest.ask("Now?", {"tool": "give_item"})
	var failed = yield(guest, "ended")
	guest.queue_free()
	var is_so = end[0] == "Pip speaks." and end[1] == "stop" and end[2].size() == 0
	is_so = is_so and failed[1] == "failed" and failed[2]["code"] == "bad_request"
	return "" if is_so and not guest.is_busy() else str([end, failed])


func _step_hints():
	_losses = []
	_mara.approach()
	_mara.typing("Any wor")
	_pip.approach()
	_world.note_frame(0.02)
	var ask = _world.ping()
	yield(_settled(ask), "completed")
	return "" if ask.error.size() == 0 and _losses.size() == 0 else str(_losses)


func _step_no_screenshot():
	yield(get_tree(), "idle_frame")
	var is_none = _world.screenshot(get_viewport()).size() == 0 and _world.picture(get_viewport()).size() == 0
	return "" if is_none else "there is a picture without a window"


func _step_raw_picture():
	_heard_mara.clear()
	var image = Image.new()
	image.create(2, 1, false, Image.FORMAT_RGB8)
	image.lock()
	image.set_pixel(0, 0, Color(1, 0, 0))
	image.set_pixel(1, 0, Color(0, 1, 0))
	image.unlock()
	var raw = Picture.pack(image, true)
	var expected = [0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 6, 255, 0, 0, 0, 255, 0]
	if raw[0] != "image/x-rgb8" or Array(raw[1]) != expected or Picture.pack(image, false)[0] != "image/png":
		return str(Array(raw[1]))
	var end = yield(_say(_mara, _heard_mara, "What is this?", {"images": [raw]}), "completed")
	return "" if end[0] == "failed" and end[1]["code"] == "unsupported" else str(end)


func _step_world_leaves():
	_heard_mara.clear()
	_mara.ask("Tell me a story.")
	yield(_until(_heard_mara, "pieces", 1), "completed")
	remove_child(_world)
	yield(_pause(0.2), "completed")
	_world.queue_free()
	var ends = _heard_mara.ends
	return "" if ends.size() == 1 and ends[0][0] == "failed" and ends[0][1]["code"] == "connection_lost" else str(ends)
