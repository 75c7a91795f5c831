## Something asked of the server whose answer matters. Wait for it with the signal settled, which comes once:
## `yield(world.ping(), "settled")` in Godot 3, `await world.ping().settled` in Godot 4.
class_name NpcAsk

## Comes once, after the call that made this has returned.
signal settled(ask)

const Problem = preload("problem.gd")

## Whether the answer, or an error, is there.
var is_settled = false
## The server's message; empty if there is an error.
var answer = {}
## code, message, hint, retryable; empty if there is an answer.
var error = {}

var is_quiet = false  # where set, an error that nobody listens for is no news

var _what = ""  # the message's type
var _listener = null
var _method = ""


func _init(what: String):
	_what = what


# Have a method of an object called with this ask, ahead of the signal.
func listen(listener: Object, method: String) -> void:
	_listener = listener
	_method = method


# Called once, by core.gd.
func settle(settled_answer: Dictionary, settled_error: Dictionary) -> void:
	if is_settled:
		return
	is_settled = true
	answer = settled_answer
	error = settled_error
	if _listener != null and is_instance_valid(_listener):
		_listener.call(_method, self)
	else:
		warn()
	_listener = null
	emit_signal("settled", self)


# Settle with an error once the call that made this has returned; until then the message to itself keeps it alive.
func refuse(refusal: Dictionary) -> void:
	call_deferred("_settle_late", refusal, self)


# An error that nobody waits for is told in the log.
func warn() -> void:
	if error.size() > 0 and not is_quiet and get_signal_connection_list("settled").size() == 0:
		push_warning("npc_sdk: %s: %s" % [_what, Problem.told(error)])


func _settle_late(refusal: Dictionary, _itself) -> void:
	settle({}, refusal)
