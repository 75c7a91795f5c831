# What an Npc does whose character, player or world changes, and a world that comes late, rests, leaves and comes back.
extends "script.gd"

var _guest_world = null


# How many sessions are open once the server has heard all that was said so far, and what that led to.
func _sessions():
	yield(_settled(_world.ping()), "completed")
	var ask = _world.sessions()
	yield(_settled(ask), "completed")
	return ask.answer["sessions"].size()


# One who has another world than all the others, which connects by itself.
func _add_guest() -> Node:
	_guest_world = _make_world(_token)
	_guest_world.open()
	var guest = _make_npc("mara")
	guest.world = _guest_world
	return guest


func _remove_guest(guest: Node) -> void:
	guest.queue_free()
	_guest_world.queue_free()


func _step_another_character():
	var guest = _make_npc("mara")
	var ends = []
	for change in [["npc_id", "mara"], ["npc_id", "pip"], ["player", "Ann"]]:
		guest.set(change[0], change[1])
		guest.ask("Now?")
		var end = yield(guest, "ended")
		ends.append(end[0])
	var ask = _world.sessions()
	yield(_settled(ask), "completed")
	var last = ask.answer["sessions"].back()
	var before = ask.answer["sessions"].size()
	guest.queue_free()
	var after = yield(_sessions(), "completed")
	var is_so = ends == ["Mara speaks.", "Pip speaks.", "Pip speaks."]
	is_so = is_so and last["player"] == "Ann" and last["npc_id"] == "pip"
	return "" if is_so and after == before - 1 else str([ends, last, before, after])


func _step_asked_early():
	var guest = _add_guest()
	var asked = _guest_world.set_state({"weather": "rain"})
	var left = guest.talk()
	guest.leave()
	guest.ask("Now?")
	var end = yield(guest, "ended")
	var is_so = end[0] == "Mara speaks." and asked.answer.get("type") == "state_ok"
	_remove_guest(guest)
	return "" if is_so and left.error.get("code") == "unknown_session" else str([end, asked.error, left.error])


func _step_world_chosen():
	var guest = _add_guest()
	guest.ask("Now?")
	yield(guest, "ended")
	var ask = _guest_world.sessions()
	yield(_settled(ask), "completed")
	guest.world = guest.get_path_to(_world)
	guest.ask("Now?")
	yield(guest, "ended")
	var left = _guest_world.sessions()
	yield(_settled(left), "completed")
	_remove_guest(guest)
	var sizes = [ask.answer["sessions"].size(), left.answer["sessions"].size()]
	return "" if sizes == [1, 0] else str(sizes)


func _step_wrong_world():
	var ends = []
	var guest = _make_npc("mara")
	for named in [NodePath("../Nowhere"), self]:
		guest.world = named
		guest.ask("Now?")
		var end = yield(guest, "ended")
		ends.append(end[2].get("code"))
		if end[2]["message"].find("Nowhere" if ends.size() == 1 else name) < 0:
			return str(end)
	guest.world = _world
	guest.ask("Now?")
	var last = yield(guest, "ended")
	guest.queue_free()
	return "" if ends == ["settings", "settings"] and last[0] == "Mara speaks." else str([ends, last])


# Each version has one of the two properties; the other is not there.
func _step_disabled_world():
	var guest = _add_guest()
	_guest_world.set("pause_mode", 1)
	_guest_world.set("process_mode", 4)
	_guest_world.set_process(false)
	get_tree().paused = true
	guest.ask("Now?")
	var end = yield(guest, "ended")
	get_tree().paused = false
	_remove_guest(guest)
	return "" if end[0] == "Mara speaks." else str(end)


func _step_world_away():
	var guest = _add_guest()
	guest.ask("Now?")
	yield(guest, "ended")
	remove_child(_guest_world)
	var asked = _guest_world.ping()
	guest.ask("Now?")
	var away = yield(guest, "ended")
	yield(_settled(asked), "completed")
	add_child(_guest_world)
	guest.ask("Now?")
	var back = yield(guest, "ended")
	_remove_guest(guest)
	var is_so = away[2].get("code") == "settings" and asked.error.get("code") == "connection_lost"
	return "" if is_so and back[0] == "Mara speaks." else str([away, asked.error, back])


# What was refused has an end that is yet to come.
func _step_late_cancel():
	var lonely = _make_npc("mara")
	var heard = Recorder.new(lonely)
	lonely.world = self
	lonely.ask("Anybody?")
	if not lonely.cancel() or lonely.cancel():
		return "cancel is not true once"
	lonely.ask("Anybody?")
	yield(_until(heard, "ends", 2), "completed")
	yield(_pause(0.1), "completed")
	lonely.queue_free()
	var is_so = heard.ends.size() == 2 and heard.ends[0] == ["finished", "", "cancelled"]
	return "" if is_so and heard.ends[1][1]["code"] == "settings" else str(heard.ends)


func _step_closed():
	var guest = _add_guest()
	guest.ask("Now?")
	yield(guest, "ended")
	_losses = []
	_guest_world.connect("disconnected", self, "_on_disconnected")
	var ask = _guest_world.close()
	yield(_until(self, "_losses", 1), "completed")
	remove_child(_guest_world)
	add_child(_guest_world)
	yield(_pause(0.1), "completed")
	var is_closed = _guest_world.link.state == _guest_world.Link.IDLE
	_remove_guest(guest)
	var is_so = _losses.size() == 1 and _losses[0]["code"] == "closed" and not _losses[0]["retryable"]
	return "" if is_so and is_closed and ask.answer.get("reason") == "bye" else str([_losses, ask.error, is_closed])


func _step_host_name():
	yield(get_tree(), "idle_frame")
	_losses = []
	var stranger = _make_world("")
	stranger.connect("disconnected", self, "_on_disconnected")
	stranger.address = "tcp://example.org:5577"
	stranger.open()
	var state = stranger.link.state
	stranger.queue_free()
	var is_so = _losses.size() == 1 and _losses[0]["code"] == "settings"
	return "" if is_so and state == stranger.Link.IDLE else str(_losses)
