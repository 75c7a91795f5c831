# The game: brings the player's wishes to the NPCs, their acts before the rules, and shows what came of both.
# The only one that knows rules, figures and the connection. evening.gd plays it as a player would.
extends Node2D

signal happened(entry)  # {who, kind, text, …}: all that the evening's transcript is made of

const Platform = preload("addons/npc_sdk/platform.gd")
const Rules = preload("rules.gd")
const Spots = preload("spots.gd")
const Desk = preload("desk.gd")
const Camera = preload("camera.gd")
const Evening = preload("evening.gd")

const NEAR = 240.0
const EARSHOT = 600.0
const WANTS = ["emotes", "confirm", "barks"]
const BLIND = "%s cannot see pictures (%s)"

var rules = null
var font = null
var chosen = ""  # the item that G gives
var partner = null  # whom the player stands with

onready var world = $World
onready var room = $Room
onready var figures = $Figures
onready var player = $Figures/Player
onready var talk_box = $TalkBox
onready var confirm_box = $ConfirmBox
onready var hud = $Hud
onready var villagers = {"tobin": $Figures/Tobin, "mara": $Figures/Mara, "pip": $Figures/Pip}


func _ready():
	font = Desk.font()
	rules = Rules.new(parse_json(Platform.read_file("res://village.json")))
	for npc_id in villagers:
		villagers[npc_id].connect("called", self, "_on_called")
		villagers[npc_id].connect("happened", self, "_on_happened")
	talk_box.connect("typed", self, "_on_typed")
	talk_box.connect("entered", self, "_on_entered")
	world.connect("connected", self, "_on_connected")
	world.connect("disconnected", self, "_on_disconnected")
	hud.show_status("Looking for the village …", false)
	refresh()
	var arguments = _read_arguments()
	world.address = arguments.get("address", world.address)
	world.open()
	if arguments.has("evening"):
		var evening = Evening.new(self, arguments)
		add_child(evening)
		evening.run()


func _process(delta):
	world.note_frame(delta)
	player.may_walk = not talk_box.is_typing()
	var near = nearest()
	if near != partner and not talk_box.is_typing():
		partner = near
		if partner != null:
			partner.npc.approach()
			emit_signal("happened", {"who": "player", "kind": "near", "text": partner.npc.npc_id})


# The villager whom the player stands with, or null.
func nearest():
	var best = null
	for villager in villagers.values():
		var distance = villager.position.distance_to(player.position)
		if distance < NEAR and (best == null or distance < best.position.distance_to(player.position)):
			best = villager
	return best


# Say something to one of them; the reply shows above the head. False while that one still speaks.
func say(villager: Node2D, words: String, options: Dictionary = {}) -> bool:
	if villager.npc.is_busy():
		hud.show_notice("%s is still speaking. Esc cuts a reply short." % villager.title)
		return false
	var id = villager.npc.npc_id
	rules.hear(id, words)
	player.bubble.say(words)
	villager.bubble.begin()
	villager.glances = (player.position - villager.position).normalized()
	villager.is_met = true
	villager.npc.set_state(rules.state_for(id))
	options["wants"] = WANTS
	emit_signal("happened", {"who": "player", "kind": "say", "text": words, "to": id})
	villager.npc.ask(words, options)
	return true


# Say it to everybody in earshot, who all answer at once.
func shout(words: String) -> Array:
	var heard_by = []
	for npc_id in villagers:
		if villagers[npc_id].position.distance_to(player.position) < EARSHOT and say(villagers[npc_id], words):
			heard_by.append(npc_id)
	return heard_by


# Show what stands before both: a picture goes along with the words.
func look(villager: Node2D, words: String = "Look around. What do you see?") -> bool:
	return say(villager, words, {"images": [Camera.picture(world, get_viewport(), [player] + villagers.values())]})


# Cut the reply of one of them short.
func cancel(villager: Node2D) -> bool:
	return villager.npc.cancel()


# Take up what lies near. Empty, or why not.
func pick_up() -> String:
	var item = within_reach()
	var fault = rules.pick_up(item) if item != "" else "Nothing lies here."
	hud.show_notice("You pick up: " + item if fault == "" else fault)
	if fault == "":
		emit_signal("happened", {"who": "player", "kind": "pick", "text": item})
		refresh()
	return fault


# What the player could pick up, or nothing.
func within_reach() -> String:
	var items = rules.held_by("cellar")
	var is_near = room.is_cellar_open and player.position.distance_to(Spots.CELLAR_DOOR) < NEAR
	return items[0] if is_near and items.size() > 0 else ""


# Hand something over unasked: the game says so to the server, whose NPC then thanks in its own words.
func bring(item: String, villager: Node2D) -> String:
	var id = villager.npc.npc_id
	var fault = "%s is still speaking." % villager.title if villager.npc.is_busy() else rules.bring(item, id)
	if fault != "":
		hud.show_notice(fault)
		return fault
	emit_signal("happened", {"who": "player", "kind": "bring", "text": item, "to": id})
	refresh()
	$Stage.fly(item, player, villager)
	_feel(villager)
	say(villager, "I brought you this: %s. It is yours now." % item, {"tool_choice": "none"})
	return ""


# What hangs on the rules: what the NPCs are told, and what the window shows of the player's things.
func refresh() -> void:
	var items = rules.held_by(Rules.PLAYER)
	if not items.has(chosen):
		chosen = items[0] if items.size() > 0 else ""
	hud.show_purse(rules.coins, items, chosen)
	var left = rules.held_by("cellar")
	room.lay(left[0] if left.size() > 0 else "")
	if world.is_open():
		for npc_id in villagers:
			villagers[npc_id].npc.set_state(rules.state_for(npc_id))


# The item that G gives.
func choose(slot: int) -> void:
	var items = rules.held_by(Rules.PLAYER)
	if slot < items.size():
		chosen = items[slot]
		refresh()


func _feel(villager: Node2D):
	var ask = world.happen("thanked", villager.npc.npc_id, villager.npc.player)
	yield(ask, "settled")
	if ask.error.size() == 0:
		var feels = "trusts you: %+d" % int(ask.answer["relation"].get("player", 0))
		villager.show_emote(feels)
		emit_signal("happened", {"who": villager.npc.npc_id, "kind": "feels", "text": feels})


func _on_called(villager, call):
	var decision = rules.decide(villager.npc.npc_id, call["name"], call["arguments"])
	if decision["is_allowed"] and call.get("needs_confirmation") == true:
		var is_agreed = yield(confirm_box.ask("%s.\nDo you agree?" % decision["notice"], villager.npc.npc_id), "completed")
		if is_agreed == null or not villager.is_open(call["call_id"]):
			return
		villager.npc.confirm(call["call_id"], is_agreed, "" if is_agreed else "The player does not want it.")
		emit_signal("happened", {"who": "player", "kind": "confirm", "text": decision["notice"], "agreed": is_agreed})
		if not is_agreed:
			return
		decision = rules.decide(villager.npc.npc_id, call["name"], call["arguments"])
	if not decision["is_allowed"]:
		hud.show_notice("%s tries to %s, refused: %s" % [villager.title, call["name"].replace("_", " "), decision["reason"]])
		villager.answer_call(call["call_id"], "refused", decision["reason"])
		return
	rules.apply(decision)
	hud.show_notice(decision["notice"])
	yield($Stage.perform(villager, decision), "completed")
	refresh()
	emit_signal("happened", {"who": villager.npc.npc_id, "kind": "done", "text": decision["notice"]})
	villager.answer_call(call["call_id"], "accepted", decision["content"])


func _on_happened(entry):
	if entry["kind"] == "end":
		confirm_box.withdraw(entry["who"])
		if entry.get("code") == "unsupported":
			hud.show_notice(BLIND % [rules.name_of(entry["who"]), entry["why"]])
	emit_signal("happened", entry)


func _on_connected():
	hud.show_status("Connected: %s" % Platform.joined(world.npcs().values(), ", "), true)
	refresh()
	emit_signal("happened", {"who": "game", "kind": "status", "text": "connected"})


func _on_disconnected(error):
	for villager in villagers.values():
		villager.is_met = false
	var goes_on = error.get("retryable", false)
	hud.show_status("%s%s" % [error["message"], " - trying again …" if goes_on else ""], false)
	emit_signal("happened", {"who": "game", "kind": "status", "text": error["code"]})


func _on_typed(text):
	if partner != null:
		partner.npc.typing(text)


func _on_entered(text, is_for_all):
	if is_for_all:
		shout(text)
	elif partner != null:
		say(partner, text)


# The line to type in; the session opens with it, so that typing can be told.
func open_talk(villager: Node2D) -> void:
	partner = villager
	talk_box.open(villager.title)
	if world.is_open() and not villager.is_met:
		villager.is_met = true
		villager.npc.talk()


# The game's own arguments: --tavern-NAME=VALUE.
static func _read_arguments() -> Dictionary:
	var found = {}
	for argument in OS.get_cmdline_args():
		if argument.begins_with("--tavern-") and argument.find("=") > 0:
			var halves = argument.trim_prefix("--tavern-").split("=", true, 1)
			found[halves[0]] = halves[1]
	return found
