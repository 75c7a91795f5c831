# The tavern itself: floor, walls, hearth, shelves, windows and the two doors. Nothing here stands in anybody's way.
# Knows no figure. tavern.gd tells it whether the cellar is open and what lies there.
extends Node2D

const Thing = preload("thing.gd")

const WALL_END = 262
const HEARTH = Vector2(520, 256)
const CELLAR = Vector2(1750, 256)
const STONE = Color(0.36, 0.34, 0.33)
const WOOD = Color(0.3, 0.19, 0.11)
const LINE = Color(0.12, 0.08, 0.06)
const RED = Color(0.42, 0.14, 0.13)
const GOLD = Color(0.72, 0.53, 0.27)

var is_cellar_open = false
var _age = 0.0
var _thing = Thing.new()


func _ready():
	_thing.position = CELLAR + Vector2(0, -22)
	add_child(_thing)
	lay("")


# What lies behind the cellar's open door; nothing if empty.
func lay(item: String) -> void:
	_thing.item = item
	_thing.visible = item != "" and is_cellar_open
	_thing.update()


func _process(delta):
	_age += delta
	_thing.visible = _thing.item != "" and is_cellar_open
	update()


func _draw():
	_draw_floor()
	_draw_wall()
	_draw_windows()
	_draw_shelf()
	_draw_hearth()
	_draw_cellar()
	_draw_entrance()


func _draw_floor() -> void:
	for row in range(14):
		var y = WALL_END + row * 60
		var colour = Color(0.41, 0.27, 0.17) if row % 2 == 0 else Color(0.385, 0.25, 0.155)
		draw_rect(Rect2(0, y, 1920, 60), colour)
		draw_rect(Rect2(0, y, 1920, 2), Color(0.25, 0.15, 0.09))
		for seam in range(5):
			var x = fmod(seam * 420.0 + row * 173.0, 1920.0)
			draw_rect(Rect2(x, y, 3, 60), Color(0.25, 0.15, 0.09))
	for i in range(5):
		var width = [330, 306, 292, 180, 170][i]
		_ellipse(Vector2(880, 712), Vector2(width, width * 0.46), GOLD if i % 2 == 1 else RED.darkened(0.04 * i))


func _draw_wall() -> void:
	draw_rect(Rect2(0, 60, 1920, WALL_END - 60), Color(0.63, 0.53, 0.4))
	draw_rect(Rect2(0, 196, 1920, WALL_END - 196), WOOD)
	for x in range(0, 1920, 48):
		draw_rect(Rect2(x, 200, 2, WALL_END - 200), LINE)
	draw_rect(Rect2(0, 190, 1920, 9), WOOD.lightened(0.15))
	for x in [20, 340, 720, 1110, 1640, 1880]:
		draw_rect(Rect2(x - 14, 60, 28, WALL_END - 60), WOOD.darkened(0.15))
		draw_rect(Rect2(x - 14, 60, 5, WALL_END - 60), WOOD.lightened(0.1))
	draw_rect(Rect2(0, 62, 1920, 22), WOOD.darkened(0.2))
	draw_rect(Rect2(0, WALL_END - 4, 1920, 12), Color(0, 0, 0, 0.3))


func _draw_windows() -> void:
	for x in [180, 915]:
		var pane = Rect2(x - 72, 98, 144, 84)
		draw_rect(pane.grow(9), WOOD)
		draw_rect(pane, Color(0.1, 0.14, 0.27))
		for star in [[22, 20], [58, 46], [96, 16], [122, 54], [36, 66]]:
			var light = 0.55 + 0.35 * sin(_age * 1.5 + star[0])
			draw_circle(pane.position + Vector2(star[0], star[1]), 2.2, Color(0.95, 0.95, 0.8, light))
		draw_rect(Rect2(x - 3, 98, 6, 84), WOOD)
		draw_rect(Rect2(x - 72, 137, 144, 6), WOOD)


func _draw_shelf() -> void:
	var colours = [Color(0.25, 0.42, 0.3), Color(0.52, 0.24, 0.2), Color(0.62, 0.5, 0.24), Color(0.27, 0.34, 0.48)]
	for y in [138, 186]:
		for i in range(11):
			var x = 1180 + i * 38 + (y % 7)
			var height = 26 + (i * 7 + y) % 9
			draw_rect(Rect2(x, y - height, 16, height), colours[(i + y) % 4])
			draw_rect(Rect2(x + 5, y - height - 9, 6, 10), colours[(i + y) % 4].lightened(0.2))
		draw_rect(Rect2(1160, y, 440, 10), WOOD.lightened(0.05))
		draw_rect(Rect2(1160, y + 8, 440, 3), LINE)


func _draw_hearth() -> void:
	var chimney = Rect2(HEARTH + Vector2(-120, -196), Vector2(240, 200))
	draw_rect(chimney, STONE)
	for row in range(6):
		for i in range(5):
			var brick = Rect2(HEARTH + Vector2(-118 + i * 50 - (row % 2) * 20, -194 + row * 33), Vector2(46, 29))
			draw_rect(brick.clip(chimney), STONE.lightened(0.05 + 0.04 * ((i + row) % 3)))
	draw_rect(Rect2(HEARTH + Vector2(-136, -150), Vector2(272, 18)), WOOD)
	draw_rect(Rect2(HEARTH + Vector2(-78, -118), Vector2(156, 122)), Color(0.07, 0.05, 0.05))
	for log_x in [-34, 6]:
		draw_line(HEARTH + Vector2(log_x - 26, -6), HEARTH + Vector2(log_x + 50, -12), WOOD.darkened(0.3), 16.0)
	for tongue in range(5):
		var sway = sin(_age * (5.0 + tongue) + tongue * 2.1)
		var root = HEARTH + Vector2(-44 + tongue * 22, -10)
		var height = 54 + 18 * sway + 20 * (2 - abs(tongue - 2))
		for layer in [[1.0, Color(0.9, 0.35, 0.1)], [0.65, Color(0.98, 0.62, 0.18)], [0.35, Color(1.0, 0.9, 0.5)]]:
			var w = 17 * layer[0]
			var tip = root + Vector2(sway * 7, -height * layer[0])
			draw_colored_polygon(PoolVector2Array([root + Vector2(-w, 0), tip, root + Vector2(w, 0)]), layer[1])
	for ring in range(7):
		var glow = 0.022 + 0.004 * sin(_age * 7.0 + ring)
		_ellipse(HEARTH + Vector2(0, 60), Vector2(120 + ring * 46, 56 + ring * 22), Color(1.0, 0.6, 0.2, glow))


func _draw_cellar() -> void:
	draw_rect(Rect2(CELLAR + Vector2(-66, -164), Vector2(132, 168)), STONE)
	draw_rect(Rect2(CELLAR + Vector2(-52, -152), Vector2(104, 156)), Color(0.05, 0.04, 0.05))
	if is_cellar_open:
		for step in range(4):
			var stair = Rect2(CELLAR + Vector2(-46 + step * 5, -22 - step * 26), Vector2(92 - step * 10, 22))
			draw_rect(stair, STONE.darkened(0.2 + step * 0.17))
		draw_rect(Rect2(CELLAR + Vector2(-76, -152), Vector2(26, 156)), WOOD.lightened(0.08))
		return
	for plank in range(4):
		var board = Rect2(CELLAR + Vector2(-52 + plank * 26, -152), Vector2(25, 156))
		draw_rect(board, WOOD.lightened(0.06 + 0.03 * (plank % 2)))
	for y in [-126, -36]:
		draw_rect(Rect2(CELLAR + Vector2(-52, y), Vector2(92, 9)), Color(0.2, 0.2, 0.22))
	draw_circle(CELLAR + Vector2(34, -72), 6, Color(0.75, 0.62, 0.3))


func _draw_entrance() -> void:
	draw_rect(Rect2(0, WALL_END, 40, 840), WOOD.darkened(0.1))
	draw_rect(Rect2(36, WALL_END, 5, 840), LINE)
	draw_rect(Rect2(4, 480, 34, 190), WOOD.lightened(0.16))
	for y in [484, 546, 608]:
		draw_rect(Rect2(8, y, 26, 56), WOOD.lightened(0.08))
	draw_circle(Vector2(28, 580), 6, Color(0.75, 0.62, 0.3))
	draw_rect(Rect2(50, 530, 90, 96), Color(0.33, 0.35, 0.27))
	draw_rect(Rect2(58, 538, 74, 80), Color(0.42, 0.44, 0.33), false, 3.0)


func _ellipse(at: Vector2, radii: Vector2, colour: Color) -> void:
	draw_set_transform(at, 0.0, Vector2(1.0, radii.y / radii.x))
	draw_circle(Vector2.ZERO, radii.x, colour)
	draw_set_transform(Vector2.ZERO, 0.0, Vector2.ONE)
