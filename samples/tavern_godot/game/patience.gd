# How the evening's player waits: until something is so, typing meanwhile, saying yes or no, taking pictures.
# Knows no step but the one that is played. Extended by evening.gd.
extends Node

const Platform = preload("addons/npc_sdk/platform.gd")

const TYPING_WORD_S = 0.04
const CALM_S = 1.2  # before a picture, so that it shows more than a beginning
const LONGER_SIDE = 1920  # of a picture, at most
const ACT_S = 0.25  # into an act, when something passes from hand to hand

var _tavern = null
var _pictures = ""
var _patience_s = 20.0
var _step = {}
var _is_pictured = false


func _type(npc_id: String, words: String):
	_tavern.open_talk(_tavern.villagers[npc_id])
	var typed = ""
	for word in words.split(" "):
		typed += ("" if typed == "" else " ") + word
		_tavern.talk_box.fill(typed)
		yield(_pause(TYPING_WORD_S), "completed")


# Wait for a condition, answering the game's questions meanwhile. Empty, or that patience is over.
func _until(condition: String):
	var until_s = Platform.now_s() + _patience_s
	yield(get_tree(), "idle_frame")
	while not call(condition) and Platform.now_s() < until_s:
		if _tavern.confirm_box.question != "":
			yield(_calm("confirm"), "completed")
			_tavern.confirm_box.decide(_step.get("agree", false))
		elif not _is_pictured and _step.get("when") == "act" and _tavern.villagers[_step["to"]].is_acting:
			yield(_calm("act"), "completed")
		yield(get_tree(), "idle_frame")
	return "" if call(condition) else "waited in vain: " + condition


# Let the moment be seen where there is a window, and take this step's picture if this is the time for it.
func _calm(when: String = "end"):
	var is_act = when == "act"
	yield(_pause(ACT_S if is_act else CALM_S if _pictures != "" else 0.05), "completed")
	while _pictures != "" and not is_act and not _is_all_shown():
		yield(get_tree(), "idle_frame")
	if not _is_pictured and _step.get("when", "end") == when:
		_is_pictured = true
		var image = Platform.image_of(get_viewport(), LONGER_SIDE)
		image.save_png("%s/%s.png" % [_pictures, _step["picture"]])


func _is_all_shown() -> bool:
	for villager in _tavern.villagers.values():
		if not villager.bubble.is_shown():
			return false
	return true


func _pause(seconds: float):
	yield(get_tree().create_timer(seconds), "timeout")


func _settled(ask):
	yield(get_tree(), "idle_frame")
	while not ask.is_settled:
		yield(get_tree(), "idle_frame")
