# Asks the player yes or no: some acts of NPCs cost something. One question at a time; others wait for their turn.
# Knows no NPC. Called by tavern.gd.
extends CanvasLayer

signal decided(is_agreed)

const TalkBox = preload("talk_box.gd")
const SIZE = Vector2(820, 210)

var question = ""  # that stands there; empty if none does
var asker = ""  # whose act it is about

var _panel = null
var _words = null


func _ready():
	layer = 3
	_panel = Panel.new()
	_panel.add_stylebox_override("panel", TalkBox._style(Color(0.13, 0.095, 0.075, 0.98), Color(0.95, 0.78, 0.45)))
	_panel.rect_size = SIZE
	_panel.rect_position = Vector2(960 - SIZE.x / 2, 695)
	_words = Label.new()
	_words.rect_position = Vector2(30, 30)
	_words.rect_size = Vector2(SIZE.x - 60, 80)
	_words.align = Label.ALIGN_CENTER
	_words.autowrap = true
	_panel.add_child(_words)
	_add_button("Yes  (Y)", SIZE.x / 2 - 250, true)
	_add_button("No  (N)", SIZE.x / 2 + 30, false)
	add_child(_panel)
	_panel.visible = false


# Wait for it: true, false, or null where the question was withdrawn.
func ask(text: String, npc_id: String):
	yield(get_tree(), "idle_frame")
	while question != "":
		yield(self, "decided")
		yield(get_tree(), "idle_frame")
	question = text
	asker = npc_id
	_words.text = text
	_panel.visible = true
	return yield(self, "decided")


func decide(is_agreed) -> void:
	if question == "":
		return
	question = ""
	_panel.visible = false
	emit_signal("decided", is_agreed)


# The act is off: a reply that has ended asks nothing any more.
func withdraw(npc_id: String) -> void:
	if asker == npc_id:
		decide(null)


func _input(event):
	if question == "" or not (event is InputEventKey) or not event.pressed:
		return
	if event.scancode == KEY_Y or event.scancode == KEY_N:
		get_tree().set_input_as_handled()
		decide(event.scancode == KEY_Y)


func _add_button(text: String, x: float, is_agreed: bool) -> void:
	var button = Button.new()
	button.text = text
	button.focus_mode = Control.FOCUS_NONE
	button.rect_position = Vector2(x, 128)
	button.rect_size = Vector2(220, 56)
	var fill = Color(0.3, 0.42, 0.22) if is_agreed else Color(0.45, 0.2, 0.16)
	for state in ["normal", "hover", "pressed"]:
		var colour = fill.lightened(0.12) if state == "hover" else fill
		button.add_stylebox_override(state, TalkBox._style(colour, fill.lightened(0.3)))
	button.connect("pressed", self, "decide", [is_agreed])
	_panel.add_child(button)
