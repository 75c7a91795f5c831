# Something asked of the server whose answer matters. Wait for it with the signal `settled`, which comes once:
# `yield(world.ping(), "settled")` in Godot 3, `await world.ping().settled` in Godot 4.

signal settled(ask)

var is_settled = false
var answer = {}  # the server's message; empty if there is an error
var error = {}  # code, message, hint, retryable; empty if there is an answer

var _listener = null
var _method = ""


# Have a method of an object called with this ask, ahead of the signal.
func listen(listener: Object, method: String) -> void:
	_listener = listener
	_method = method


# Called once by core.gd.
func settle(settled_answer: Dictionary, settled_error: Dictionary) -> void:
	if is_settled:
		return
	is_settled = true
	answer = settled_answer
	error = settled_error
	if _listener != null and is_instance_valid(_listener):
		_listener.call(_method, self)
	_listener = null
	emit_signal("settled", self)
