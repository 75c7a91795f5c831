# Somebody in the room: drawn out of shapes, can walk a way, and holds what speech.gd shows of words and emotes.
# Origin at the feet. Knows no NPC and no keys. Extended by player.gd and villager.gd.
extends Node2D

const Spots = preload("spots.gd")
const Bubble = preload("bubble.gd")

const SPEED = 330.0
const EMOTE_S = 3.0
const OUTLINE = Color(0.1, 0.07, 0.06)
const BODY = [
	[-0.72, -92], [0.72, -92], [0.95, -72], [1.05, -26], [0.8, -22], [-0.8, -22], [-1.05, -26], [-0.95, -72]
]

export var title = ""
export var coat = Color(0.4, 0.4, 0.4)
export var hair = Color(0.3, 0.2, 0.1)
export var skin = Color(0.87, 0.68, 0.54)
export var apron = Color(0, 0, 0, 0)
export var girth = 1.0
export var tallness = 1.0
export var is_long_haired = false

var walked = 0.0  # pixels, since the start
var emote = ""
var bubble = Bubble.new()
var glances = Vector2.DOWN

var _way = []
var _phase = 0.0
var _emote_s = 0.0
var _age = 0.0


func _process(delta):
	advance(delta)
	_age += delta
	_emote_s = max(0.0, _emote_s - delta)
	if _emote_s == 0.0:
		emote = ""
	bubble.advance(delta)
	_follow_way(delta)
	update()


# What a figure does of its own accord in each frame; a hook, as Godot 4 would not call _process here and there.
func advance(_delta: float) -> void:
	pass


# Walk there, round the furniture. Wait for its end with is_walking().
func walk_to(goal: Vector2) -> void:
	_way = Spots.path(position, goal)


func halt() -> void:
	_way = []


func is_walking() -> bool:
	return _way.size() > 0


func show_emote(text: String) -> void:
	emote = text
	_emote_s = EMOTE_S


# Where a hand is, in the room's coordinates.
func hand() -> Vector2:
	return position + Vector2(30 * girth, -48) * tallness


# Where the crown of the head is.
func crown() -> Vector2:
	return position + Vector2(0, -140 * tallness)


func step(by: Vector2) -> void:
	position += by
	walked += by.length()
	_phase += by.length() * 0.045
	if by.length() > 0.1:
		glances = by.normalized()


func _follow_way(delta: float) -> void:
	var left = SPEED * delta
	while left > 0.0 and _way.size() > 0:
		var gap = _way[0] - position
		var length = min(left, gap.length())
		step(gap.normalized() * length)
		left -= max(length, 0.01)
		if gap.length() - length < 0.5:
			_way.pop_front()
	if _way.size() == 0:
		_phase = 0.0


func _draw():
	_draw_shadow()
	draw_set_transform(Vector2.ZERO, 0.0, Vector2(tallness, tallness))
	var bob = abs(sin(_phase)) * 5.0 + sin(_age * 2.2) * 1.2
	_draw_legs()
	_draw_body(Vector2(0, -bob))
	_draw_head(Vector2(0, -112 - bob))


func _draw_shadow() -> void:
	draw_set_transform(Vector2.ZERO, 0.0, Vector2(1.0, 0.32))
	draw_circle(Vector2.ZERO, 42 * girth * tallness, Color(0, 0, 0, 0.35))


func _draw_legs() -> void:
	var swing = sin(_phase) * 9.0
	for side in [-1, 1]:
		var foot = Vector2(side * 13, -4 - max(0.0, side * swing))
		draw_line(Vector2(side * 12, -36), foot, Color(0.17, 0.13, 0.12), 15.0)
		draw_circle(foot, 8.5, Color(0.12, 0.09, 0.08))


func _draw_body(at: Vector2) -> void:
	var w = 30.0 * girth
	var shape = PoolVector2Array()
	for corner in BODY:
		shape.append(at + Vector2(corner[0] * w, corner[1]))
	draw_colored_polygon(shape, coat)
	if apron.a > 0.0:
		var front = [Vector2(-0.5 * w, -74), Vector2(0.5 * w, -74), Vector2(0.72 * w, -24), Vector2(-0.72 * w, -24)]
		draw_colored_polygon(PoolVector2Array([at + front[0], at + front[1], at + front[2], at + front[3]]), apron)
	shape.append(shape[0])
	draw_polyline(shape, OUTLINE, 2.5, true)
	var swing = sin(_phase) * 8.0
	for side in [-1, 1]:
		var palm = at + Vector2(side * (w + 6), -46 + side * swing)
		draw_line(at + Vector2(side * w * 0.88, -82), palm, coat.darkened(0.18), 13.0, true)
		draw_circle(palm, 8.0, skin)


func _draw_head(at: Vector2) -> void:
	if is_long_haired:
		draw_circle(at + Vector2(0, 6), 31, hair)
		draw_rect(Rect2(at + Vector2(-30, 4), Vector2(60, 30)), hair)
	draw_circle(at, 26, skin)
	draw_arc(at, 26, 0, TAU, 40, OUTLINE, 2.5, true)
	var cap = PoolVector2Array()
	for i in range(17):
		cap.append(at + Vector2(cos(PI + i * PI / 16), sin(PI + i * PI / 16)) * 28)
	cap.append(at + Vector2(16, -11))
	cap.append(at + Vector2(-14, -9))
	draw_colored_polygon(cap, hair)
	var look = Vector2(clamp(glances.x, -1, 1) * 6, clamp(glances.y, -0.3, 1) * 3)
	var is_blinking = fmod(_age + position.x * 0.01, 4.0) < 0.12
	for side in [-1, 1]:
		var eye = at + look + Vector2(side * 9, 1)
		if is_blinking:
			draw_line(eye - Vector2(3, 0), eye + Vector2(3, 0), OUTLINE, 2.0)
		else:
			draw_circle(eye, 3.2, OUTLINE)
	draw_arc(at + look + Vector2(0, 7), 6, 0.3, PI - 0.3, 8, OUTLINE.lightened(0.2), 2.0, true)
