# The socket of one world: dials, shakes hands, moves bytes a little at every poll, beats, and dials again.
# Where the server lives, what broke goes on over the next connection. Never blocks. Knows no node. Driven by
# world_base.gd, which hears link_opened(), link_interrupted(error), link_resumed(), link_lost(error), link_recast(),
# and is asked for link_token().

const Platform = preload("platform.gd")
const Problem = preload("problem.gd")
const Zmtp = preload("zmtp.gd")
const Core = preload("core.gd")

const BYE_S = 1.0
const CHUNK = 65536
const READS_A_POLL = 16
const MESSAGES_A_POLL = 16  # at 0.15 ms each, so that a burst does not cost the game a frame
const MAX_UNSENT = 67108864
const FIRST_WAIT_S = 0.25
const LONGEST_WAIT_S = 8.0
const FIRST_RESUME_WAIT_S = 0.1
const LONGEST_RESUME_WAIT_S = 1.0

enum { IDLE, DIALLING, SHAKING, OPEN, WAITING }

var core = Core.new()
var state = IDLE
var timeout_s = 5.0  # for TCP, the handshake and welcome together; and for each answer
var is_persistent = true  # whether to dial again
var wants_edits = false  # whether to hear of edits of the world's files

var _listener = null
var _host = ""
var _port = 0
var _client = ""
var _stream = null
var _zmtp = null
var _unsent = []
var _unsent_bytes = 0
var _sent = 0  # of the first of _unsent
var _until_s = 0.0
var _broken = {}  # why the connection is interrupted
var _resume_until_s = 0.0
var _wait_s = FIRST_WAIT_S
var _heard_s = 0.0
var _beat_s = 0.0
var _npcs = {}
var _is_leaving = false
var _has_greeted = false


func _init(listener: Object):
	_listener = listener
	core.lost = Problem.make("connection_lost", "there is no connection yet", "wait for the signal connected")


# The link is opened within this frame: what is asked until then waits, as it does while it dials.
func expect() -> void:
	if state == IDLE:
		core = Core.new()
		core.answer_s = timeout_s


func is_expected() -> bool:
	return state == IDLE and core.lost.size() == 0


# Dial host and port, now and again after each loss until close.
func open(host: String, port: int, client: String) -> void:
	if not is_expected():
		stop(Problem.make("connection_lost", "the client connects anew"))
	_host = "127.0.0.1" if host == "localhost" else host  # a name would block while it is looked up
	_port = port
	_client = client
	_wait_s = FIRST_WAIT_S
	_dial()


# Say bye; the socket closes when goodbye comes, or soon without it. The ask is settled by either.
func close():
	var was_idle = state == IDLE
	if state != OPEN:
		stop(Problem.make("connection_lost", "the client was closed"))
	_is_leaving = true
	_until_s = Platform.now_s() + BYE_S
	core.is_meant_to_end = true
	var bye = core.ask({"type": "bye"})
	bye.is_quiet = true
	if state != OPEN and not was_idle:
		_listener.link_lost(_closed())
	return bye


# Close at once: whatever is open ends with this error.
func stop(error: Dictionary) -> void:
	if state == OPEN and not _is_leaving:
		core.ask({"type": "bye"})
		_push()
	_hang_up()
	state = IDLE
	_broken = {}
	core.is_meant_to_end = true
	core.lose(error)


func poll() -> void:
	match state:
		DIALLING:
			_await_tcp()
		SHAKING, OPEN:
			_work()
		WAITING:
			if core.is_interrupted and Platform.now_s() > _resume_until_s:
				_drop(_broken)
			elif Platform.now_s() >= _until_s:
				_dial()
	core.poll()
	if state == OPEN:
		_push()


func _dial() -> void:
	_is_leaving = false
	_has_greeted = false
	if core.lost.size() > 0:
		core = Core.new()
		core.answer_s = timeout_s
	_zmtp = Zmtp.new(_listener.link_token())
	_stream = StreamPeerTCP.new()
	_until_s = Platform.now_s() + timeout_s
	state = DIALLING
	if _zmtp.error.size() > 0:
		_drop(_zmtp.error)
	elif _stream.connect_to_host(_host, _port) != OK:
		_drop(_unreachable())


func _await_tcp() -> void:
	match Platform.status_of(_stream):
		StreamPeerTCP.STATUS_CONNECTED:
			_stream.set_no_delay(true)
			state = SHAKING
			_heard_s = Platform.now_s()
			_work()
		StreamPeerTCP.STATUS_CONNECTING:
			if Platform.now_s() > _until_s:
				_break(_unreachable())
		_:
			# a port where nobody listens is a server that ended, with all that it knew: there is nothing to wait for
			_drop(_broken if core.is_interrupted else _unreachable())


# What is told of a connection that the game itself closes.
func _closed() -> Dictionary:
	return Problem.make("closed", "the game closed the connection")


func _unreachable() -> Dictionary:
	return Problem.make("connection_lost", "nobody answers at %s:%d" % [_host, _port], "is npc serve running there?")


func _work() -> void:
	var worked = core
	var is_alive = Platform.status_of(_stream) == StreamPeerTCP.STATUS_CONNECTED
	if is_alive:
		is_alive = _pull()
	_deliver()
	if core == worked and core.successor != null:
		_start_over()
	if core != worked or _zmtp == null:
		return  # somebody who listens has closed or opened meanwhile
	if core.lost.size() > 0:
		_drop(core.lost)
	elif _zmtp.error.size() > 0:
		_drop(_zmtp.error)
	elif not is_alive:
		_break(_zmtp.end_error())
	else:
		if state == SHAKING and _zmtp.is_open() and not _has_greeted:
			_greet()
		_keep_time()
		if state == SHAKING or state == OPEN:
			_push()


func _greet() -> void:
	_has_greeted = true
	var wants = ["resume", "edits"] if wants_edits else ["resume"]
	core.hello(_client, wants).listen(self, "_on_welcome")


# The server did not know the connection that broke: what was open has ended, and a new one has begun.
func _start_over() -> void:
	var error = core.lost
	core = core.successor
	_broken = {}
	state = OPEN
	_wait_s = FIRST_WAIT_S
	_npcs = core.npcs
	var begun = core
	_listener.link_lost(error)
	if core == begun and state == OPEN:
		_listener.link_opened()


# Reads what is there, within bounds; false when the socket failed.
func _pull() -> bool:
	for _round in range(READS_A_POLL):
		var size = min(_stream.get_available_bytes(), CHUNK)
		if size <= 0:
			return true
		var got = _stream.get_data(size)
		if got[0] != OK:
			return false
		_heard_s = Platform.now_s()
		_zmtp.feed(got[1])
		if _zmtp.error.size() > 0 or _zmtp.messages.size() >= MESSAGES_A_POLL:
			return true
	return true


# Hands messages to the core. Whoever hears of them may close or open this link meanwhile.
func _deliver() -> void:
	var taken = core
	for _round in range(MESSAGES_A_POLL):
		if core != taken or _zmtp == null or taken.lost.size() > 0 or _zmtp.messages.size() == 0:
			break
		taken.receive(_zmtp.messages.pop_front())
	if core == taken and state == OPEN and core.npcs != _npcs:
		_npcs = core.npcs
		_listener.link_recast()


func _on_welcome(ask) -> void:
	if ask.error.size() > 0 and core.lost.size() == 0 and not (core.is_interrupted and ask.error["code"] == "timeout"):
		core.lose(ask.error)
	if ask.error.size() > 0 or state != SHAKING:
		return
	state = OPEN
	_wait_s = FIRST_WAIT_S
	if _broken.size() > 0:
		_broken = {}
		_listener.link_resumed()
		return
	_npcs = core.npcs
	_listener.link_opened()


func _keep_time() -> void:
	var now_s = Platform.now_s()
	if (state == SHAKING or _is_leaving) and now_s > _until_s:
		_break(Problem.make("connection_lost", "the server did not answer in time", "is this the address of npc serve?"))
	elif state == OPEN and now_s - _heard_s > core.limits["idle_s"]:
		_drop(Problem.make("connection_lost", "the server was silent for %d s" % core.limits["idle_s"]))
	elif state == OPEN and not _is_leaving and now_s >= _beat_s:
		_beat_s = now_s + core.limits["heartbeat_s"]
		core.ask({"type": "ping"}).is_quiet = true


func _push() -> void:
	while core.outgoing.size() > 0 and _zmtp.is_open():
		_zmtp.send(core.outgoing.pop_front())
	for bytes in _zmtp.outgoing:
		_unsent.append(bytes)
		_unsent_bytes += bytes.size()
	_zmtp.outgoing = []
	while _unsent.size() > 0:
		var bytes = _unsent[0]
		var got = _stream.put_partial_data(Platform.part(bytes, _sent, min(CHUNK, bytes.size() - _sent)))
		if got[0] != OK:
			_break(_zmtp.end_error())
			return
		if got[1] == 0:
			break
		_sent += got[1]
		if _sent == bytes.size():
			_unsent.pop_front()
			_unsent_bytes -= bytes.size()
			_sent = 0
	if _unsent_bytes > MAX_UNSENT:
		_drop(Problem.make("connection_lost", "the server takes no messages", "connect again"))


func _hang_up() -> void:
	if _stream != null:
		_stream.disconnect_from_host()
	_stream = null
	_zmtp = null
	_unsent = []
	_unsent_bytes = 0
	_sent = 0
	_beat_s = 0.0


# The socket broke: go on over a new one, where the server gave a key for that; else the connection is over.
func _break(error: Dictionary) -> void:
	var broken = core
	if _is_leaving or core.key == "" or core.lost.size() > 0:
		_drop(error)
		return
	for frames in _zmtp.messages:
		broken.receive(frames)
	if core != broken or _zmtp == null:
		return  # somebody who listens has closed or opened meanwhile
	_zmtp.messages = []
	if broken.lost.size() > 0 or broken.successor != null:
		_drop(error)
		return
	_hang_up()
	var is_first = _broken.size() == 0
	if is_first:
		_broken = Problem.make("connection_lost", error["message"], "connect again")
		_resume_until_s = Platform.now_s() + core.resume_s
		_wait_s = FIRST_RESUME_WAIT_S
	core.interrupt()
	_wait_to_dial(LONGEST_RESUME_WAIT_S)
	if is_first:
		_listener.link_interrupted(_broken)


func _wait_to_dial(longest_s: float) -> void:
	state = WAITING
	_until_s = Platform.now_s() + _wait_s * (0.75 + randf() * 0.5)  # spread, so that clients do not come at once
	_wait_s = min(_wait_s * 2.0, longest_s)


# The connection is over. What had come is still delivered; what is open ends; then wait and dial again, or rest.
func _drop(error: Dictionary) -> void:
	var dropped = core
	var left = _zmtp.messages if _zmtp != null else []
	_hang_up()
	state = IDLE
	_broken = {}
	for frames in left:
		dropped.receive(frames)
	if dropped.lost.size() > 0:
		error = dropped.lost
	if is_persistent and not _is_leaving and error["retryable"]:
		_wait_to_dial(LONGEST_WAIT_S)
	var told = _closed() if _is_leaving else error
	dropped.lose(error)
	_listener.link_lost(told)
