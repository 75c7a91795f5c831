# The game's own rules: who holds what, which door stands open, and whether an act of an NPC may happen.
# Knows neither node nor server: decide() judges a call, apply() makes it true, state_for() is what an NPC is told.

const PLAYER = "player"
const PLACE = "the Gilded Goose"
const AWAY = {"iron sword": "forge", "knife": "forge"}  # owned, but not in the tavern this evening
const LYING = {"apple": "cellar"}
const TOOLS = [
	"give_item", "take_item", "sell_item", "open_door", "start_quest", "finish_quest", "follow_player", "stay_here"
]

var coins = 10
var holders = {}  # item: who holds it, or where it lies
var open_doors = []
var quests = {}  # name: not given, given or finished
var followers = []

var _village = {}  # samples/tavern_text/village.py as JSON: villagers, doors, quests, floor_share
var _named = {}  # npc_id: the items that the player has spoken of


func _init(village: Dictionary):
	_village = village
	holders = LYING.duplicate()
	for npc_id in village["villagers"]:
		for item in village["villagers"][npc_id]["holds"]:
			holders[item] = npc_id
		_named[npc_id] = []
	for quest in village["quests"]:
		quests[quest] = "not given"


func name_of(npc_id: String) -> String:
	return _village["villagers"][npc_id]["name"]


func held_by(holder: String) -> Array:
	var items = []
	for item in holders:
		if holders[item] == holder:
			items.append(item)
	return items


# The player's words: nothing is taken or sold that was not spoken of.
func hear(npc_id: String, words: String) -> void:
	for item in holders:
		if words.to_lower().find(item) >= 0 and not _named[npc_id].has(item):
			_named[npc_id].append(item)


# What this NPC knows of the moment, for its prompt and for what its calls can name.
func state_for(npc_id: String) -> Dictionary:
	var prices = {}
	for item in _prices(npc_id):
		if holders[item] == npc_id:
			prices[item] = int(_prices(npc_id)[item])
	var state = {"place": PLACE, "holds": held_by(npc_id), "prices": prices, "doors": _doors(npc_id)}
	state["player_holds"] = held_by(PLAYER)
	state["player_coins"] = coins
	state["open_quests"] = []
	for quest in quests:
		if _village["quests"][quest]["giver"] == npc_id:
			state["quest"] = "%s: %s" % [quest, quests[quest]]
			if quests[quest] != "finished":
				state["open_quests"].append(quest)
	return state


# {is_allowed, reason} of a refusal; else also notice, content, act and what changes. Changes nothing itself.
func decide(npc_id: String, tool_name: String, arguments: Dictionary) -> Dictionary:
	if not TOOLS.has(tool_name):
		return _no("Nobody here can %s." % tool_name)
	return call("_" + tool_name, npc_id, arguments)


# Make an allowed decision true.
func apply(decision: Dictionary) -> void:
	if decision.has("item"):
		holders[decision["item"]] = decision["to"]
	coins += decision.get("coins", 0)
	if decision.has("door"):
		open_doors.append(decision["door"])
	if decision.has("quest"):
		quests[decision["quest"]] = decision["status"]
	if decision["act"] == "follow":
		followers.append(decision["npc_id"])
	elif decision["act"] == "stay":
		followers.erase(decision["npc_id"])


# The player takes something that lies about, or hands something over unasked. Empty, or why not.
func pick_up(item: String) -> String:
	if holders.get(item) != "cellar" or not open_doors.has("cellar door"):
		return "There is no %s within reach." % item
	holders[item] = PLAYER
	return ""


func bring(item: String, npc_id: String) -> String:
	if holders.get(item) != PLAYER:
		return "You have no %s." % item
	holders[item] = npc_id
	return ""


func _give_item(npc_id: String, arguments: Dictionary) -> Dictionary:
	var item = str(arguments.get("item", ""))
	var fault = _not_at_hand(npc_id, item)
	if fault == "" and _prices(npc_id).has(item):
		fault = "The %s is for sale, for %d coins. You do not give it away." % [item, _prices(npc_id)[item]]
	var wanted = _village["villagers"][npc_id]["bargains"].get(item)
	if fault == "" and wanted != null and holders[wanted] != npc_id:
		fault = "You want the %s first." % wanted
	if fault != "":
		return _no(fault)
	return _yes(npc_id, "hand_over", "hands over: " + item, {"item": item, "to": PLAYER})


func _take_item(npc_id: String, arguments: Dictionary) -> Dictionary:
	var item = str(arguments.get("item", ""))
	if holders.get(item) != PLAYER:
		return _no("The player does not hold the %s." % item)
	if not _named[npc_id].has(item):
		return _no("The player has not offered you the %s." % item)
	return _yes(npc_id, "take", "takes: " + item, {"item": item, "to": npc_id})


func _sell_item(npc_id: String, arguments: Dictionary) -> Dictionary:
	var item = str(arguments.get("item", ""))
	var price = int(arguments.get("price", 0))
	var fault = _not_at_hand(npc_id, item)
	if fault == "" and not _prices(npc_id).has(item):
		fault = "You do not sell the %s." % item
	if fault == "" and not _named[npc_id].has(item):
		fault = "The player has not asked for the %s." % item
	if fault == "" and price < ceil(_prices(npc_id)[item] * _village["floor_share"]):
		fault = "%d coins are too little for the %s." % [price, item]
	if fault == "" and price > _prices(npc_id)[item]:
		fault = "The %s costs %d coins, no more." % [item, _prices(npc_id)[item]]
	if fault == "" and price > coins:
		fault = "The player has only %d coins." % coins
	if fault != "":
		return _no(fault)
	var notice = "sells: %s, for %d coins" % [item, price]
	return _yes(npc_id, "hand_over", notice, {"item": item, "to": PLAYER, "coins": -price})


func _open_door(npc_id: String, arguments: Dictionary) -> Dictionary:
	var door = str(arguments.get("door", ""))
	if not _doors(npc_id).has(door):
		return _no("You have no key for the %s." % door)
	if open_doors.has(door):
		return _no("The %s is open already." % door)
	return _yes(npc_id, "open", "opens: " + door, {"door": door})


func _start_quest(npc_id: String, arguments: Dictionary) -> Dictionary:
	var quest = str(arguments.get("quest", ""))
	if quests.get(quest) != "not given" or _village["quests"][quest]["giver"] != npc_id:
		return _no("The quest %s cannot begin." % quest)
	var task = _village["quests"][quest]["task"]
	return _yes(npc_id, "tell", "asks: " + task, {"quest": quest, "status": "given"})


func _finish_quest(npc_id: String, arguments: Dictionary) -> Dictionary:
	var quest = str(arguments.get("quest", ""))
	if not quests.has(quest) or quests[quest] == "finished" or _village["quests"][quest]["giver"] != npc_id:
		return _no("The quest %s cannot end." % quest)
	var wanted = _village["quests"][quest]["wanted"]
	if not [PLAYER, npc_id].has(holders[wanted]):
		return _no("The player has not brought the %s." % wanted)
	# the item that the text game pays with lies in the forge
	var pay = int(_village["quests"][quest]["reward_coins"])
	var changes = {"quest": quest, "status": "finished", "item": wanted, "to": npc_id, "coins": pay}
	return _yes(npc_id, "take", "pays %d coins for the %s" % [pay, wanted], changes)


func _follow_player(npc_id: String, _arguments: Dictionary) -> Dictionary:
	if followers.has(npc_id):
		return _no("You follow the player already.")
	return _yes(npc_id, "follow", "comes along", {})


func _stay_here(npc_id: String, _arguments: Dictionary) -> Dictionary:
	if not followers.has(npc_id):
		return _no("You do not follow the player.")
	return _yes(npc_id, "stay", "stays here", {})


# Empty, or why the NPC cannot hand this over here and now.
func _not_at_hand(npc_id: String, item: String) -> String:
	if holders.get(item) != npc_id:
		return "You do not hold the %s." % item
	return "The %s is in the %s, not in the tavern." % [item, AWAY[item]] if AWAY.has(item) else ""


func _prices(npc_id: String) -> Dictionary:
	return _village["villagers"][npc_id]["prices"]


func _doors(npc_id: String) -> Array:
	var doors = []
	for door in _village["doors"]:
		if _village["doors"][door] == npc_id:
			doors.append(door)
	return doors


func _no(reason: String) -> Dictionary:
	return {"is_allowed": false, "reason": reason}


func _yes(npc_id: String, act: String, notice: String, changes: Dictionary) -> Dictionary:
	var decision = changes.duplicate()
	decision["is_allowed"] = true
	decision["npc_id"] = npc_id
	decision["act"] = act
	decision["notice"] = "%s %s" % [name_of(npc_id), notice]
	decision["content"] = notice
	return decision
