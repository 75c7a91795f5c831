# The player: walks with arrows or WASD while nothing is typed, and stops at furniture.
# Knows no NPC. Its scene is tavern.tscn; tavern.gd reads where it stands.
extends "figure.gd"

const KEYS = {
	KEY_LEFT: Vector2.LEFT, KEY_A: Vector2.LEFT,
	KEY_RIGHT: Vector2.RIGHT, KEY_D: Vector2.RIGHT,
	KEY_UP: Vector2.UP, KEY_W: Vector2.UP,
	KEY_DOWN: Vector2.DOWN, KEY_S: Vector2.DOWN,
}

var may_walk = true


func advance(delta: float) -> void:
	var direction = Vector2.ZERO
	for key in KEYS:
		if may_walk and Input.is_key_pressed(key):
			direction += KEYS[key]
	if direction == Vector2.ZERO:
		return
	halt()
	var stride = direction.normalized() * SPEED * delta
	for part in [Vector2(stride.x, 0), Vector2(0, stride.y)]:
		if Spots.is_free(position + part):
			step(part)
