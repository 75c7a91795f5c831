# What a step of the evening hopes for, and how it did not come about. Knows no time and plays nothing.
# Called by evening.gd, again and again until it has come or patience is over.

const Platform = preload("addons/npc_sdk/platform.gd")


# Empty, or how an act, hope being [tool, status], did not come; without hope the reply must end in order.
static func hope_fault(entries: Array, hope: Array) -> String:
	for entry in entries:
		if hope.size() > 0 and entry["kind"] == "act" and [entry["text"], entry["status"]] == hope:
			return ""
		if hope.size() == 0 and entry["kind"] == "end" and entry["how"] == "stop":
			return ""
	return "no %s" % Platform.joined(hope, " ") if hope.size() > 0 else "the reply did not end in order"


# Empty, or what is not as it should be. stood: how far each had walked before.
static func fault_of(tavern: Node, wanted: Dictionary, stood: Dictionary) -> String:
	for item in wanted.get("holders", {}):
		if tavern.rules.holders[item] != wanted["holders"][item]:
			return "the %s is with %s" % [item, tavern.rules.holders[item]]
	if wanted.has("coins") and tavern.rules.coins != int(wanted["coins"]):
		return "%d coins are left" % tavern.rules.coins
	if wanted.has("is_cellar_open") and tavern.room.is_cellar_open != wanted["is_cellar_open"]:
		return "the cellar door is not as it should be"
	if wanted.has("walked") and tavern.villagers[wanted["walked"]].walked - stood[wanted["walked"]] < 50:
		return "%s did not move" % wanted["walked"]
	if wanted.has("follows"):
		var follower = tavern.villagers[wanted["follows"]]
		if follower.position.distance_to(tavern.player.position) > 300:
			return "%s did not follow" % wanted["follows"]
	return ""
