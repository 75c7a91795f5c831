# What was sent and heard since the welcome, so that a connection that broke goes on where it was.
# Knows frames, no message. Owned by core.gd; PROTOCOL.md (Resuming) says what it is for.

const MAX_MESSAGES = 256
const MAX_BYTES = 1048576

var heard = 0  # messages of the server's
var sent = 0

var _kept = []
var _bytes = 0


# A message goes out; the oldest of very many are forgotten.
func note(frames: Array) -> void:
	sent += 1
	_kept.append(frames)
	_bytes += _size_of(frames)
	while _kept.size() > 0 and (_kept.size() > MAX_MESSAGES or _bytes > MAX_BYTES):
		_bytes -= _size_of(_kept.pop_front())


# The message of this number (the first is 1), if it is still kept, is another one now: who missed it hears that.
func replace(number: int, frames: Array) -> void:
	var index = _kept.size() - (sent - number) - 1
	if number > 0 and index >= 0:
		_bytes += _size_of(frames) - _size_of(_kept[index])
		_kept[index] = frames


# Whether what was sent after the first count messages is still there.
func has_after(count: int) -> bool:
	return count <= sent and sent - count <= _kept.size()


func after(count: int) -> Array:
	var missed = []
	for index in range(_kept.size() - (sent - count), _kept.size()):
		missed.append(_kept[index])
	return missed


func start_over() -> void:
	heard = 0
	sent = 0
	_kept = []
	_bytes = 0


func _size_of(frames: Array) -> int:
	var size = 0
	for frame in frames:
		size += frame.size()
	return size
