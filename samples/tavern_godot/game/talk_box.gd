# The line at the bottom where the player types. Every change is a typing hint for the NPC that is talked to.
# Knows neither NPC nor server. Its signals go to tavern.gd.
extends CanvasLayer

signal typed(text)
signal entered(text, is_for_all)

const Desk = preload("desk.gd")
const BOX = Rect2(30, 972, 1860, 84)

var _panel = null
var _line = null
var _name = null


func _ready():
	_panel = Panel.new()
	_panel.add_stylebox_override("panel", _style(Color(0.1, 0.075, 0.06, 0.95), Color(0.75, 0.55, 0.3)))
	_panel.rect_position = BOX.position
	_panel.rect_size = BOX.size
	_name = Label.new()
	_name.rect_position = Vector2(28, 23)
	_name.add_color_override("font_color", Color(0.95, 0.78, 0.45))
	_line = LineEdit.new()
	_line.rect_position = Vector2(190, 14)
	_line.rect_size = Vector2(1644, 56)
	_line.max_length = 300
	_line.add_stylebox_override("normal", _style(Color(0.17, 0.13, 0.11), Color(0.35, 0.26, 0.18)))
	_line.add_stylebox_override("focus", _style(Color(0, 0, 0, 0), Color(0.95, 0.78, 0.45)))
	_line.connect("text_changed", self, "_on_text_changed")
	_panel.add_child(_name)
	_panel.add_child(_line)
	add_child(_panel)
	shut()


func is_typing() -> bool:
	return _panel.visible


func open(title: String) -> void:
	_name.text = "To " + title
	_line.text = ""
	_panel.visible = true
	Desk.begin_typing(_line)


func shut() -> void:
	_panel.visible = false
	_line.release_focus()


# As if typed: a script plays the player.
func fill(text: String) -> void:
	_line.text = text
	_line.caret_position = text.length()
	_on_text_changed(text)


# Enter says it to one, Shift and Enter to all in earshot.
func _input(event):
	if not _panel.visible or not (event is InputEventKey) or not event.pressed:
		return
	if event.scancode == KEY_ENTER or event.scancode == KEY_KP_ENTER:
		get_tree().set_input_as_handled()
		var text = _line.text.strip_edges()
		_line.text = ""
		if text != "":
			emit_signal("entered", text, event.shift)


func _on_text_changed(text):
	emit_signal("typed", text)


static func _style(fill: Color, border: Color) -> StyleBoxFlat:
	var style = StyleBoxFlat.new()
	style.bg_color = fill
	style.border_color = border
	style.set_border_width_all(2)
	style.set_corner_radius_all(10)
	style.content_margin_left = 14
	style.content_margin_right = 14
	return style
