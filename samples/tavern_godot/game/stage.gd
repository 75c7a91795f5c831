# How an act looks that the rules allowed: who walks where, and what passes from hand to hand.
# Knows figures and the room, no rules and no server. Called by tavern.gd, which waits for its end.
extends Node

const Spots = preload("spots.gd")
const Thing = preload("thing.gd")

const REACH = 240.0
const FLIGHT_S = 0.7
const WALK_S = 8.0  # at most; somebody may stand in the way

onready var _tavern = get_parent()


# Ends once it was seen, after one frame at least.
func perform(villager: Node2D, decision: Dictionary):
	yield(get_tree(), "idle_frame")
	villager.is_acting = true
	match decision["act"]:
		"hand_over":
			yield(_hand_over(villager, decision["item"], true), "completed")
		"take":
			yield(_hand_over(villager, decision["item"], false), "completed")
		"open":
			yield(_walk(villager, Spots.CELLAR_DOOR), "completed")
			_tavern.room.is_cellar_open = true
			yield(_pause(0.4), "completed")
		"follow":
			villager.leader = _tavern.player
		"stay":
			villager.leader = null
			villager.home = villager.position
		"tell":
			villager.show_emote("*asks a favour*")
	villager.rest()


# The item goes from one to the other; whoever is too far away comes near first.
func _hand_over(villager: Node2D, item: String, is_given: bool):
	var player = _tavern.player
	yield(get_tree(), "idle_frame")
	if villager.position.distance_to(player.position) > REACH:
		yield(_walk(villager, Spots.beside(player.position, villager.position, 100)), "completed")
	villager.glances = (player.position - villager.position).normalized()
	yield(fly(item, villager if is_given else player, player if is_given else villager), "completed")


# An item moves through the air in a low arc.
func fly(item: String, giver: Node2D, taker: Node2D):
	var thing = Thing.new()
	thing.item = item
	thing.scale = Vector2(1.2, 1.2)
	_tavern.add_child(thing)
	_tavern.move_child(thing, _tavern.figures.get_index() + 1)
	var age_s = 0.0
	while age_s < FLIGHT_S:
		var way = age_s / FLIGHT_S
		thing.position = giver.hand().linear_interpolate(taker.hand(), way) - Vector2(0, sin(way * PI) * 50)
		yield(get_tree(), "idle_frame")
		age_s += max(get_process_delta_time(), 0.001)
	thing.queue_free()


func _walk(figure: Node2D, goal: Vector2):
	figure.walk_to(goal)
	var age_s = 0.0
	yield(get_tree(), "idle_frame")
	while figure.is_walking() and age_s < WALK_S:
		yield(get_tree(), "idle_frame")
		age_s += get_process_delta_time()
	figure.halt()


func _pause(seconds: float):
	yield(get_tree().create_timer(seconds, false), "timeout")
