# The strip at the top (connection, coins, what the player carries), the latest notices, and which keys do what.
# Knows no rules and no server. Told everything by tavern.gd.
extends CanvasLayer

const Platform = preload("addons/npc_sdk/platform.gd")
const TalkBox = preload("talk_box.gd")
const Thing = preload("thing.gd")

const NOTICES = 3
const NOTICE_S = 9.0
const SLOT = 58
const LOG_END = 960
const GOOD = Color(0.5, 0.8, 0.42)
const BAD = Color(0.93, 0.45, 0.3)

var _status = null
var _coins = null
var _slots = null
var _log = null
var _hint = null
var _notices = []  # [text, age in s]


func _ready():
	var strip = Panel.new()
	strip.add_stylebox_override("panel", TalkBox._style(Color(0.1, 0.075, 0.06, 0.95), Color(0.35, 0.26, 0.18)))
	strip.rect_position = Vector2(-4, -4)
	strip.rect_size = Vector2(1928, 72)
	add_child(strip)
	_status = _label(Vector2(34, 15))
	_coins = _label(Vector2(1310, 15))
	_slots = Node2D.new()
	add_child(_slots)
	_log = _label(Vector2(30, LOG_END))
	_hint = _label(Vector2(560, 1000))
	_hint.align = Label.ALIGN_CENTER
	for label in [_log, _hint]:
		label.add_stylebox_override("normal", _shade())


func _process(delta):
	var lines = []
	for notice in _notices:
		notice[1] += delta
	while _notices.size() > 0 and _notices[0][1] > NOTICE_S:
		_notices.pop_front()
	for notice in _notices:
		lines.append(notice[0])
	_log.text = Platform.joined(lines, "\n")
	_log.visible = lines.size() > 0
	_log.rect_size = Vector2.ZERO  # it grows by itself, but does not shrink
	_log.rect_position.y = LOG_END - _log.rect_size.y


func show_status(text: String, is_good: bool) -> void:
	_status.text = text
	_status.add_color_override("font_color", GOOD if is_good else BAD)


func show_hint(text: String, is_above_line: bool = false) -> void:
	_hint.text = text
	_hint.rect_size = Vector2.ZERO
	var width = _hint.rect_size.x
	_hint.rect_position = Vector2(1890 - width, 914) if is_above_line else Vector2(960 - width / 2, 1006)


func show_notice(text: String) -> void:
	_notices.append([text, 0.0])
	if _notices.size() > NOTICES:
		_notices.pop_front()


# What the player has; the chosen item is framed.
func show_purse(coins: int, items: Array, chosen: String) -> void:
	_coins.text = "%d coins" % coins
	for slot in _slots.get_children():
		slot.queue_free()
	for i in range(6):
		_add_slot(i, items[i] if i < items.size() else "", chosen)


func _add_slot(i: int, item: String, chosen: String) -> void:
	var slot = Panel.new()
	var border = Color(0.95, 0.78, 0.45) if item != "" and item == chosen else Color(0.35, 0.26, 0.18)
	slot.add_stylebox_override("panel", TalkBox._style(Color(0.17, 0.13, 0.11), border))
	slot.rect_size = Vector2(SLOT, SLOT)
	slot.rect_position = Vector2(1470 + i * (SLOT + 12), 5)
	slot.hint_tooltip = item
	_slots.add_child(slot)
	if item != "":
		var thing = Thing.new()
		thing.item = item
		thing.position = Vector2(SLOT / 2, SLOT / 2)
		slot.add_child(thing)


static func _shade() -> StyleBoxFlat:
	var style = TalkBox._style(Color(0.08, 0.06, 0.05, 0.8), Color(0, 0, 0, 0))
	style.content_margin_top = 8
	style.content_margin_bottom = 8
	return style


func _label(at: Vector2) -> Label:
	var label = Label.new()
	label.rect_position = at
	label.add_color_override("font_color", Color(0.95, 0.91, 0.82))
	label.add_color_override("font_color_shadow", Color(0, 0, 0, 0.8))
	label.add_constant_override("shadow_offset_x", 2)
	label.add_constant_override("shadow_offset_y", 2)
	add_child(label)
	return label
