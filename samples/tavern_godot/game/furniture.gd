# A table, the bar or the casks; sorted with the figures by their feet. Origin where it stands on the floor.
# Knows nothing else. Its size is that of spots.gd's BLOCKS.
extends Node2D

const WOOD = Color(0.43, 0.27, 0.15)
const DARK = Color(0.26, 0.16, 0.09)
const LINE = Color(0.13, 0.08, 0.05)

export(String, "table", "bar", "casks") var kind = "table"

var _age = 0.0


func _process(delta):
	_age += delta
	if kind == "table":
		update()


func _draw():
	match kind:
		"table":
			_draw_table()
		"bar":
			_draw_bar()
		"casks":
			for at in [Vector2(-38, -34), Vector2(42, -34), Vector2(2, -92)]:
				_draw_cask(at)


func _draw_table() -> void:
	_ellipse(Vector2(0, 12), Vector2(118, 36), Color(0, 0, 0, 0.3))
	for stool in [Vector2(-140, 18), Vector2(140, 18)]:
		draw_rect(Rect2(stool + Vector2(-22, -26), Vector2(10, 30)), DARK)
		draw_rect(Rect2(stool + Vector2(12, -26), Vector2(10, 30)), DARK)
		_ellipse(stool + Vector2(0, -26), Vector2(34, 13), WOOD.darkened(0.12))
	draw_rect(Rect2(-14, -60, 28, 70), DARK)
	_ellipse(Vector2(0, 10), Vector2(52, 14), DARK)
	_ellipse(Vector2(0, -58), Vector2(110, 40), DARK)
	_ellipse(Vector2(0, -66), Vector2(110, 40), WOOD)
	_ellipse(Vector2(0, -66), Vector2(98, 34), WOOD.lightened(0.06))
	draw_rect(Rect2(40, -88, 22, 24), Color(0.55, 0.4, 0.26))
	draw_rect(Rect2(39, -92, 24, 7), Color(0.97, 0.94, 0.86))
	var flame = 1.0 + sin(_age * 9.0 + position.x) * 0.12
	for ring in range(5):
		_ellipse(Vector2(-10, -92), Vector2(30, 30) * (ring + 1) * 0.75 * flame, Color(1.0, 0.75, 0.3, 0.045))
	draw_rect(Rect2(-15, -90, 10, 24), Color(0.93, 0.88, 0.76))
	_ellipse(Vector2(-10, -98), Vector2(5, 10) * flame, Color(1.0, 0.8, 0.35))


func _draw_bar() -> void:
	draw_rect(Rect2(-236, 0, 472, 16), Color(0, 0, 0, 0.25))
	draw_rect(Rect2(-230, -64, 460, 72), DARK)
	for i in range(6):
		draw_rect(Rect2(-222 + i * 76, -54, 66, 54), DARK.lightened(0.07))
		draw_rect(Rect2(-222 + i * 76, -54, 66, 54), LINE, false, 2.0)
	draw_rect(Rect2(-240, -92, 480, 34), WOOD.lightened(0.1))
	draw_rect(Rect2(-240, -92, 480, 5), WOOD.lightened(0.28))
	draw_rect(Rect2(-240, -60, 480, 5), LINE)
	for x in [-190, -150, 150]:
		draw_rect(Rect2(x, -112, 24, 26), Color(0.55, 0.4, 0.26))
		draw_rect(Rect2(x - 1, -117, 26, 8), Color(0.97, 0.94, 0.86))
	_ellipse(Vector2(198, -88), Vector2(28, 8), Color(0.78, 0.75, 0.7))
	_ellipse(Vector2(198, -98), Vector2(20, 12), Color(0.74, 0.5, 0.25))


func _draw_cask(at: Vector2) -> void:
	_ellipse(at + Vector2(0, 32), Vector2(38, 9), Color(0, 0, 0, 0.3))
	draw_circle(at, 38, DARK)
	draw_circle(at, 34, WOOD)
	for x in [-18, 0, 18]:
		draw_line(at + Vector2(x, -28), at + Vector2(x, 28), LINE, 2.0)
	draw_arc(at, 36, 0, TAU, 40, Color(0.4, 0.4, 0.42), 5.0, true)
	draw_circle(at + Vector2(0, 14), 5, LINE)


func _ellipse(at: Vector2, radii: Vector2, colour: Color) -> void:
	draw_set_transform(at, 0.0, Vector2(1.0, radii.y / radii.x))
	draw_circle(Vector2.ZERO, radii.x, colour)
	draw_set_transform(Vector2.ZERO, 0.0, Vector2.ONE)
