# One item as a little picture, about 40 pixels wide, around the origin.
# Knows no rules. Drawn in the inventory, in the cellar, and on its way from hand to hand.
extends Node2D

const STEEL = Color(0.72, 0.75, 0.8)
const WOOD = Color(0.45, 0.28, 0.15)

export var item = ""


func _draw():
	match item:
		"honey cake":
			draw_circle(Vector2(0, 0), 16, Color(0.8, 0.5, 0.17))
			draw_circle(Vector2(0, -2), 13, Color(0.96, 0.73, 0.27))
			draw_arc(Vector2(0, -2), 7, 0, TAU, 20, Color(0.75, 0.45, 0.13), 2.5, true)
		"bread":
			draw_set_transform(Vector2.ZERO, -0.3, Vector2(1.0, 0.62))
			draw_circle(Vector2.ZERO, 19, Color(0.74, 0.5, 0.25))
			for x in [-8, 0, 8]:
				draw_line(Vector2(x, -12), Vector2(x + 4, 8), Color(0.92, 0.74, 0.47), 3.0)
		"ale":
			draw_arc(Vector2(12, 1), 8, -PI / 2, PI / 2, 12, WOOD, 4.0, true)
			draw_rect(Rect2(-13, -13, 25, 28), WOOD)
			draw_rect(Rect2(-14, -18, 27, 8), Color(0.97, 0.94, 0.86))
		"lantern":
			draw_arc(Vector2(0, -13), 7, PI, TAU, 12, STEEL, 3.0, true)
			draw_rect(Rect2(-11, -12, 22, 28), Color(0.3, 0.3, 0.34))
			draw_rect(Rect2(-7, -7, 14, 18), Color(1.0, 0.83, 0.4))
		"silver hammer":
			draw_line(Vector2(-10, 16), Vector2(6, -8), WOOD, 6.0, true)
			draw_line(Vector2(-7, -15), Vector2(17, -1), STEEL.lightened(0.35), 14.0, true)
		"iron sword", "knife":
			draw_line(Vector2(-6, 6), Vector2(15, -15), STEEL, 6.0, true)
			draw_line(Vector2(-15, 15), Vector2(-6, 6), WOOD, 6.0, true)
			draw_line(Vector2(-12, 1), Vector2(-1, 12), Color(0.6, 0.5, 0.3), 5.0, true)
		"lucky stone":
			draw_circle(Vector2.ZERO, 13, Color(0.45, 0.6, 0.63))
			draw_circle(Vector2(-4, -4), 4, Color(0.75, 0.87, 0.88))
		"apple":
			draw_circle(Vector2(-5, 2), 11, Color(0.77, 0.17, 0.15))
			draw_circle(Vector2(5, 2), 11, Color(0.82, 0.22, 0.17))
			draw_line(Vector2(0, -7), Vector2(3, -16), WOOD, 3.0, true)
		_:
			draw_circle(Vector2.ZERO, 12, Color(0.6, 0.45, 0.6))
