# Draws what is above the room: evening shade, names under feet, emotes, and bubbles clear of each other.
# Knows figures and what they say. Its node lies above the room in tavern.tscn.
extends Node2D

const Desk = preload("desk.gd")
const WIDTH = 420.0
const PAD = 18.0
const LINE = 36.0
const EDGE = Rect2(20, 76, 1880, 840)
const PAPER = Color(0.98, 0.95, 0.87, 0.97)
const INK = Color(0.16, 0.1, 0.07)

var _placed = []  # of this frame


func _process(_delta):
	update()


func _draw():
	_placed = []
	_draw_shade()
	var tavern = get_parent()
	var figures = [tavern.player] + tavern.villagers.values()
	for figure in figures:
		_draw_tag(figure.title, figure.position + Vector2(0, 16), Color(0.08, 0.06, 0.05, 0.8), figure.coat.lightened(0.4))
	for figure in figures:
		if figure.emote != "":
			var half = font_width(figure.emote) / 2 + 60 * figure.girth
			_draw_tag(figure.emote, figure.crown() + Vector2(half, 8), Color(0.98, 0.86, 0.5), INK)
	for figure in figures:
		if figure.bubble.whole() != "":
			_draw_bubble(figure, figure == tavern.player)


# The corners of the room lie in the dark.
func _draw_shade() -> void:
	var clear = Color(0, 0, 0, 0)
	var dark = Color(0.03, 0.01, 0.0, 0.55)
	for side in [[0, 420], [1920, 1500]]:
		var edge = [Vector2(side[0], 60), Vector2(side[1], 60), Vector2(side[1], 1080), Vector2(side[0], 1080)]
		draw_polygon(PoolVector2Array(edge), PoolColorArray([dark, clear, clear, dark]))
	var floor_edge = [Vector2(0, 700), Vector2(1920, 700), Vector2(1920, 1080), Vector2(0, 1080)]
	draw_polygon(PoolVector2Array(floor_edge), PoolColorArray([clear, clear, dark, dark]))


# A line of text in a small frame, its top centre at a place.
func _draw_tag(text: String, at: Vector2, fill: Color, border: Color) -> void:
	var font = get_parent().font
	var width = font_width(text) + 28
	var style = _style(fill, 8)
	style.border_color = border
	style.set_border_width_all(2)
	draw_style_box(style, Rect2(at - Vector2(width / 2, 0), Vector2(width, 40)))
	var ink = INK if fill.v > 0.5 else Color(0.97, 0.93, 0.84)
	Desk.write(self, font, at + Vector2(14 - width / 2, 30), text, ink)


func font_width(text: String) -> float:
	return Desk.width_of(get_parent().font, text)


# The player's own words stand below the feet, so that they hide no face.
func _draw_bubble(figure: Node2D, is_below: bool) -> void:
	var font = get_parent().font
	var lines = broken(font, figure.bubble.whole())
	var width = 0.0
	for line in lines:
		width = max(width, Desk.width_of(font, line))
	var size = Vector2(width + PAD * 2, lines.size() * LINE + PAD * 2 - 6)
	var tip = figure.position + Vector2(0, 62) if is_below else figure.crown() + Vector2(0, -8)
	var box = _place(Rect2(tip - Vector2(size.x / 2, -20 if is_below else size.y + 22), size))
	var paper = Color(0.86, 0.93, 0.95, 0.97) if is_below else PAPER
	var style = _style(paper, 16)
	style.shadow_color = Color(0, 0, 0, 0.35)
	style.shadow_size = 6
	draw_style_box(style, box)
	var edge = box.position.y + 2 if is_below else box.end.y - 2
	var root = Vector2(clamp(tip.x, box.position.x + 30, box.end.x - 30), edge)
	draw_colored_polygon(PoolVector2Array([root + Vector2(-12, 0), root + Vector2(12, 0), tip]), paper)
	var left = figure.bubble.shown_chars()
	var at = box.position + Vector2(PAD, PAD + 24)
	for line in lines:
		Desk.write(self, font, at, line.substr(0, left), INK)
		left = max(0, left - line.length() - 1)
		at.y += LINE


static func _style(fill: Color, radius: int) -> StyleBoxFlat:
	var style = StyleBoxFlat.new()
	style.bg_color = fill
	style.set_corner_radius_all(radius)
	return style


# Within the edge, and above those that stand there already.
func _place(box: Rect2) -> Rect2:
	box.position.x = clamp(box.position.x, EDGE.position.x, EDGE.end.x - box.size.x)
	box.position.y = clamp(box.position.y, EDGE.position.y, EDGE.end.y - box.size.y)
	for other in _placed:
		if box.grow(8).intersects(other):
			var above = other.position.y - box.size.y - 12
			if above >= EDGE.position.y:
				box.position.y = above
			else:
				var is_right = box.position.x >= other.position.x
				box.position.x = other.end.x + 14 if is_right else other.position.x - box.size.x - 14
	_placed.append(box)
	return box


# The text in lines that are no wider than a bubble.
static func broken(font: Font, text: String, width: float = WIDTH) -> Array:
	var lines = [""]
	for word in text.split(" ", false):
		var longer = (lines[-1] + " " + word).strip_edges()
		if lines[-1] != "" and Desk.width_of(font, longer) > width:
			lines.append(word)
		else:
			lines[lines.size() - 1] = longer
	return lines
