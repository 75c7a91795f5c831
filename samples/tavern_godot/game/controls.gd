# The keys of the game, and the hint that tells which of them do something now.
# Knows tavern.gd's methods; walking is player.gd's, typing talk_box.gd's.
extends Node

const FAR = "Arrows or WASD: walk"
const NEAR = "Enter: talk to %s    L: let %s look"
const GIVE = "    G: give the %s"
const CHOOSE = "    1-6: choose an item"
const PICK = "    E: pick up the %s"
const TALK = "Enter: say    Shift+Enter: say to all    Esc: cut short, or leave"

onready var _tavern = get_parent()


func _process(_delta):
	_tavern.hud.show_hint(TALK if _tavern.talk_box.is_typing() else _hint(), _tavern.talk_box.is_typing())


# Ahead of the line that is typed in: in Godot 4 it would take Esc for itself.
func _input(event):
	if not (event is InputEventKey) or not event.pressed or event.echo or event.scancode != KEY_ESCAPE:
		return
	get_tree().set_input_as_handled()
	if _tavern.partner == null or not _tavern.cancel(_tavern.partner):
		_tavern.talk_box.shut()


func _unhandled_key_input(event):
	if not event.pressed or event.echo:
		return
	var partner = _tavern.partner
	match event.scancode:
		KEY_E:
			_tavern.pick_up()
		KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, KEY_6:
			_tavern.choose(event.scancode - KEY_1)
		KEY_ENTER:
			if partner != null:
				_tavern.open_talk(partner)
		KEY_L:
			if partner != null:
				_tavern.look(partner)
		KEY_G:
			if partner != null and _tavern.chosen != "":
				_tavern.bring(_tavern.chosen, partner)


func _hint() -> String:
	var partner = _tavern.partner
	var hint = NEAR % [partner.title, partner.title] if partner != null else FAR
	if partner != null and _tavern.chosen != "":
		hint += GIVE % _tavern.chosen
	if _tavern.rules.held_by("player").size() > 1:
		hint += CHOOSE
	return hint + (PICK % _tavern.within_reach() if _tavern.within_reach() != "" else "")
