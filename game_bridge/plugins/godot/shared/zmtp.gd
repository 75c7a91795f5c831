# ZMTP 3 as a DEALER, without a socket: bytes in, messages and bytes to send out.
# Knows no message of the protocol. Driven by link.gd; PROTOCOL.md (Bytes on the socket) says what stands here.

const Platform = preload("platform.gd")
const Problem = preload("problem.gd")

const MAX_BYTES = 16777216  # of one frame, and of all frames of one message
const MAX_FRAMES = 16
const MORE = 1
const LONG = 2
const COMMAND = 4
const USER = "game"

enum { GREETING, WELCOME, READY, OPEN }

var error = {}  # set once; nothing is read after it
var messages = []  # arrays of frames, in order; taken by the owner
var outgoing = []  # byte arrays, in order; taken by the owner

var _step = GREETING
var _token = ""
var _received = Platform.no_bytes()
var _at = 0
var _frames = []
var _frame_bytes = 0


# An empty token asks for no authentication (NULL); any other is the password of PLAIN.
func _init(token: String):
	_token = token
	if Platform.to_utf8(token).size() > 255:
		error = Problem.make("auth", "the token is longer than 255 bytes")
		return
	var greeting = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]
	greeting += _padded_mechanism()
	while greeting.size() < 64:
		greeting.append(0)
	outgoing.append(Platform.to_bytes(greeting))


func is_open() -> bool:
	return _step == OPEN


# What it means that the server closes the connection now. In the middle of the greeting: most likely that it wants
# another mechanism, which it does not say; but it may also be going away, so trying again is not ruled out.
func end_error() -> Dictionary:
	if _step == GREETING:
		var end = _other_mechanism()
		end["retryable"] = true
		return end
	return Problem.make("connection_lost", "the server closed the connection", "is it still running?")


func feed(bytes) -> void:
	_received.append_array(bytes)
	var is_moving = true
	while is_moving and error.size() == 0:
		is_moving = _read_greeting() if _step == GREETING else _read_frame()
	_received = Platform.part(_received, _at, _received.size() - _at)
	_at = 0


# Queues one message. Frames are byte arrays.
func send(frames: Array) -> void:
	for index in range(frames.size()):
		_send_frame(MORE if index < frames.size() - 1 else 0, frames[index])


func _padded_mechanism() -> Array:
	var padded = Array(Platform.to_utf8("NULL" if _token == "" else "PLAIN"))
	while padded.size() < 20:
		padded.append(0)
	return padded


func _read_greeting() -> bool:
	var is_other = _received.size() > 0 and _received[0] != 0xff
	if _received.size() < 64 and not is_other:
		return false
	if is_other or _received[9] & 1 != 1 or _received[10] < 3:
		error = Problem.make("protocol", "the other side does not speak ZMTP 3", "is this the address of npc serve?")
		return false
	if Array(Platform.part(_received, 12, 20)) != _padded_mechanism():
		error = _other_mechanism()
		return false
	_at = 64
	_step = READY if _token == "" else WELCOME
	_send_frame(COMMAND, _properties("READY") if _token == "" else _plain_hello())
	return true


func _how() -> String:
	return "no token" if _token == "" else "a token"


func _other_mechanism() -> Dictionary:
	var hint = "set the token that it was started with" if _token == "" else "it was started without one"
	return Problem.make("auth", "the server does not let this client in with " + _how(), hint)


func _plain_hello():
	var body = _named("HELLO")
	for part in [USER, _token]:
		var bytes = Platform.to_utf8(part)
		body.append(bytes.size())
		body.append_array(bytes)
	return body


func _properties(name: String):
	var body = _named(name)
	body.append_array(_named("Socket-Type"))
	body.append_array(Platform.to_bytes([0, 0, 0, 6]))
	body.append_array(Platform.to_utf8("DEALER"))
	body.append_array(_named("Identity"))
	body.append_array(Platform.to_bytes([0, 0, 0, 0]))
	return body


func _named(name: String):
	var body = Platform.to_bytes([name.length()])
	body.append_array(Platform.to_utf8(name))
	return body


# One frame of what has come; false until a whole one is there.
func _read_frame() -> bool:
	var waiting = _received.size() - _at
	if waiting < 2:
		return false
	var flags = _received[_at]
	var head = 9 if flags & LONG else 2
	if flags & 0xf8 or flags & (COMMAND | MORE) == COMMAND | MORE:
		return _refuse("flags of %d" % flags)
	if waiting < head:
		return false
	var size = 0
	for index in range(_at + 1, _at + head):
		size = size * 256 + _received[index]
		if size > MAX_BYTES:
			return _refuse("a frame of more than %d bytes" % MAX_BYTES)
	if waiting < head + size:
		return false
	var body = Platform.part(_received, _at + head, size)
	_at += head + size
	if flags & COMMAND:
		_take_command(body)
	else:
		_take_frame(flags, body)
	return true


func _refuse(what: String) -> bool:
	error = Problem.make("protocol", "the server sent " + what)
	return false


func _take_frame(flags: int, body) -> void:
	if _step == WELCOME:
		error = _refused_token()
		return
	_frames.append(body)
	_frame_bytes += body.size()
	if _step != OPEN:
		_refuse("a message before READY")
	elif _frames.size() > MAX_FRAMES:
		_refuse("more than %d frames in one message" % MAX_FRAMES)
	elif _frame_bytes > MAX_BYTES:
		_refuse("a message of more than %d bytes" % MAX_BYTES)
	elif not flags & MORE:
		messages.append(_frames)
		_frames = []
		_frame_bytes = 0


func _take_command(body) -> void:
	match _step:
		WELCOME:
			if _is_named(body, "WELCOME"):
				_step = READY
				_send_frame(COMMAND, _properties("INITIATE"))
			else:
				# Not every server spells ERROR here, so whatever else comes is a refusal.
				error = _refused_token()
		READY:
			if _is_named(body, "READY"):
				_step = OPEN
			else:
				error = Problem.make("auth", "the server does not let this client in with " + _how())
		OPEN:
			if _is_named(body, "PING"):
				_pong(body)


func _is_named(body, name: String) -> bool:
	var expected = _named(name)
	return Array(Platform.part(body, 0, min(body.size(), expected.size()))) == Array(expected)


func _pong(body) -> void:
	var context_at = 7  # the name and its length, and 2 bytes of time to live
	if body.size() < context_at or body.size() > context_at + 16:
		_refuse("a PING of %d bytes" % body.size())
		return
	var pong = _named("PONG")
	pong.append_array(Platform.part(body, context_at, body.size() - context_at))
	_send_frame(COMMAND, pong)


func _send_frame(flags: int, body) -> void:
	var stream = StreamPeerBuffer.new()
	stream.big_endian = true
	if body.size() < 256:
		stream.put_u8(flags)
		stream.put_u8(body.size())
	else:
		stream.put_u8(flags | LONG)
		stream.put_64(body.size())
	if body.size() > 0:
		stream.put_data(body)
	outgoing.append(stream.data_array)


func _refused_token() -> Dictionary:
	return Problem.make("auth", "the server refused the token", "take the token that npc serve was started with")
