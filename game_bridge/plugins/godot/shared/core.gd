# One connection without its socket: what was asked and which replies are open, and how each ends exactly once.
# Knows no bytes on the wire but msgpack. Driven by link.gd; a new connection takes a new core, a resumed one the old.

const Problem = preload("problem.gd")
const Msgpack = preload("msgpack.gd")
const Schema = preload("schema.gd")
const Ask = preload("ask.gd")
const Asks = preload("asks.gd")
const Replies = preload("replies.gd")
const Ledger = preload("ledger.gd")
const Picture = preload("picture.gd")

const REPLY_GRACE_S = 10.0  # beyond the server's own limit of a reply
const _NEEDS = {
	"learn": "learn",
	"forget": "learn",
	"happen": "happen",
	"stats": "stats",
	"sessions": "sessions",
	"state": "state",
}

var answer_s = 5.0  # how long an answer may take

var limits = {"max_body_bytes": 262144, "max_images": 4, "max_image_bytes": 8388608, "reply_timeout_s": 120.0}
var capabilities = []
var npcs = {}  # npc_id: name
var pronunciations = {}
var is_welcome = false
var lost = {}  # why the connection ended; empty while it has not
var outgoing = []  # messages, each an array of frames; taken by the owner
var key = ""  # for going on after a break; empty where the server keeps nothing
var resume_s = 0.0
var is_meant_to_end = false  # the game closes it: what ends with it is no news
var is_interrupted = false  # between a break and the welcome that goes on
var successor = null  # the core of the new connection, where the server did not know the old one any more

var _ledger = Ledger.new()
var _last_ref = 0
var _asks = Asks.new()
var _replies = Replies.new()


# Something whose answer matters; see ask.gd. A refusal of our own comes after this call has returned.
func ask(body: Dictionary) -> Ask:
	var pending = Ask.new(body["type"])
	if lost.size() == 0 and not is_welcome and body["type"] != "hello":
		_asks.hold(pending, body)
	else:
		_begin(pending, body)
	return pending


func _begin(pending: Object, body: Dictionary) -> void:
	var error = lost
	if error.size() == 0 and _NEEDS.has(body["type"]):
		error = _missing(_NEEDS[body["type"]])
	if error.size() == 0:
		error = _send(body, [])
	if error.size() > 0:
		pending.refuse(error)
	else:
		_asks.add(pending, _last_ref, body["type"], _ledger.sent, answer_s)


# Nobody wants what this opens any more. The ask settles with the error, after this call has returned.
func regret(pending, error: Dictionary) -> void:
	var ref = _asks.ref_of(pending)
	if ref > 0:
		_give_up(ref).refuse(error)
	elif _asks.let_go(pending):
		pending.refuse(error)


# The first message of a connection; after a break it asks for what was open.
func hello(client: String, wants: Array):
	var body = {"type": "hello", "protocol": Schema.VERSION, "client": client, "wants": wants}
	if key != "":
		body["resume"] = key
		body["heard"] = _ledger.heard
	return ask(body)


# The connection broke: what is said from now on waits for the next welcome.
func interrupt() -> void:
	is_interrupted = true
	outgoing = []
	_asks.drop_hello()


# What may help and wants no answer; left out where nobody would understand it.
func hint(body: Dictionary) -> void:
	if is_welcome and lost.size() == 0 and _missing(body["type"]).size() == 0:
		var packer = Msgpack.new()
		var bytes = packer.pack(body)
		if packer.error == "" and bytes.size() <= limits["max_body_bytes"]:
			_put([bytes])


# Opens a reply: its events go to sink.hear(event), the last of type finished or failed. images are byte arrays.
func say(sink: Object, body: Dictionary, images: Array) -> void:
	var error = lost
	if error.size() == 0:
		error = _say_fault(body, images)
	if error.size() == 0:
		error = _send(body, images)
	if error.size() > 0:
		fail_later(sink, body["request_id"], error)
		return
	_replies.add(sink, body, _last_ref, limits["reply_timeout_s"] + REPLY_GRACE_S)


func fail_later(sink: Object, request_id: String, error: Dictionary) -> void:
	sink.call_deferred("hear", Problem.failed(request_id, error, ""))


# Whether such a reply is open; its end comes.
func cancel(request_id: String) -> bool:
	if not _replies.has(request_id):
		return false
	_send({"type": "cancel", "request_id": request_id}, [])
	return true


# The node that listened is going away: its reply ends now, with the event that is returned.
func abandon(request_id: String) -> Dictionary:
	if not _replies.has(request_id):
		return {}
	cancel(request_id)
	var said = _replies.drop(request_id)
	return {"type": "finished", "request_id": request_id, "text": said, "finish_reason": "cancelled"}


# Empty, or why the call cannot be answered so.
func answer(request_id: String, call_id: String, status: String, content) -> Dictionary:
	var error = _replies.call_fault(request_id, call_id)
	if error.size() == 0:
		error = _replies.status_fault(request_id, call_id, status)
	if error.size() == 0:
		error = _send_about(request_id, call_id, {"type": "tool_result", "status": status, "content": content})
	if error.size() == 0:
		_replies.close_call(request_id, call_id)
	return error


# Empty, or why the player cannot be asked about this call any more.
func confirm(request_id: String, call_id: String, is_agreed: bool, reason: String) -> Dictionary:
	var error = _replies.call_fault(request_id, call_id)
	if error.size() == 0:
		error = _send_about(request_id, call_id, {"type": "confirm", "is_agreed": is_agreed, "reason": reason})
	if error.size() == 0 and is_agreed:
		_replies.agree(request_id, call_id)
	elif error.size() == 0:
		_replies.close_call(request_id, call_id)
	return error


func _send_about(request_id: String, call_id: String, body: Dictionary) -> Dictionary:
	body["session_id"] = _replies.session_of(request_id)
	body["call_id"] = call_id
	return _send(body, [])


# Takes one message of the server. One that cannot be read ends the connection.
func receive(frames: Array) -> void:
	if lost.size() > 0:
		return
	var body = {}
	var fault = "" if frames.size() == 1 else "%d frames in one message" % frames.size()
	if fault == "" and frames[0].size() > limits["max_body_bytes"] * 2:
		fault = "a map of %d bytes" % frames[0].size()
	if fault == "":
		var reader = Msgpack.new()
		body = reader.unpack(frames[0])
		fault = reader.error if reader.error != "" else Schema.fault_of(body)
	if fault == "":
		_take(body)
	else:
		lose(Problem.make("protocol", "the server sent what the protocol does not allow: " + fault))


# The connection is gone: everything that is open ends now. Later calls find nothing open.
func lose(error: Dictionary) -> void:
	if lost.size() == 0:
		lost = error
	_asks.settle_all(error, is_meant_to_end)
	_replies.end_all(error)


# Gives up what was not answered in time.
func poll() -> void:
	for ref in _asks.overdue():
		if _asks.has(ref):
			_give_up(ref).settle({}, Problem.make("timeout", "the server did not answer within %d s" % answer_s))
	for request_id in _replies.overdue():
		if _replies.has(request_id):
			_replies.end(request_id, Problem.make("timeout", "the reply did not end in time"))
			_send({"type": "cancel", "request_id": request_id}, [])


# What the server has not heard it hears no more: a ping stands in its place, for the counts.
func _give_up(ref: int):
	var given_up = _asks.take(ref)
	var packer = Msgpack.new()
	_ledger.replace(given_up[1], [packer.pack({"type": "ping", "ref": ref})])
	return given_up[0]


func _send(body: Dictionary, images: Array) -> Dictionary:
	if lost.size() > 0:
		return lost
	var is_hello = body["type"] == "hello"
	if not is_welcome and not is_hello:
		return _missing("")
	var sent = body.duplicate()
	sent["ref"] = _last_ref + 1
	var packer = Msgpack.new()
	var bytes = packer.pack(sent)
	if packer.error != "":
		return Problem.make("protocol", packer.error)
	if bytes.size() > limits["max_body_bytes"]:
		var sizes = [bytes.size(), limits["max_body_bytes"]]
		return Problem.make("too_large", "the message has %d bytes; %d are allowed" % sizes)
	_last_ref += 1
	if is_hello:
		outgoing.append([bytes])
	else:
		_put([bytes] + images)
	return {}


# Any message but hello goes out, or is kept for when the connection is back.
func _put(frames: Array) -> void:
	if key != "":
		_ledger.note(frames)
	if not is_interrupted:
		outgoing.append(frames)


func _say_fault(body: Dictionary, images: Array) -> Dictionary:
	for need in [["start_by_s", "start_by"], ["tool_choice", "tool_choice"], ["json_schema", "structured"]]:
		if body.has(need[0]) and _missing(need[1]).size() > 0:
			return _missing(need[1])
	if _replies.has(body["request_id"]):
		return Problem.make("duplicate_request", "this request_id is open")
	return Picture.fault_of(images, limits)


func _missing(capability: String) -> Dictionary:
	if not is_welcome:
		return Problem.make("connection_lost", "the server has not said welcome yet", "wait for the signal connected")
	if capabilities.has(capability):
		return {}
	return Problem.make("unsupported", "the server does not know '%s'" % capability, "it is older than this client")


func _take(body: Dictionary) -> void:
	_ledger.heard += 0 if body["type"] == "welcome" else 1
	match body["type"]:
		"welcome":
			_take_welcome(body)
		"error":
			_take_error(body)
		"goodbye":
			_settle(body)
			lose(Problem.make("connection_lost", "the server said goodbye: " + body["reason"], "connect again"))
		"edited":
			if body.get("npcs") != null and body["npcs"].size() > 0:
				_take_cast(body["npcs"])
		_:
			if body.has("request_id"):
				_replies.hear(body)
			else:
				_settle(body)


func _take_welcome(body: Dictionary) -> void:
	if body["protocol"] != Schema.VERSION:
		lose(Problem.make("version", "the server speaks version %d, this client %d" % [body["protocol"], Schema.VERSION]))
		return
	var is_resumed = is_interrupted and body.get("resumed") == true
	if is_interrupted and not is_resumed:
		successor = get_script().new()
		successor.answer_s = answer_s
		successor._take_welcome(body)
		lose(Problem.make("connection_lost", "the server no longer knows this connection", "talk again"))
		return
	if not is_resumed:
		_ledger.start_over()
	is_welcome = true
	key = _or(body.get("resume"), "")
	resume_s = float(_or(body.get("resume_s"), 0.0))
	limits = body["limits"]
	capabilities = body["capabilities"]
	pronunciations = _or(body.get("pronunciations"), {})
	_take_cast(body["npcs"])
	if is_resumed:
		_catch_up(_or(body.get("heard"), 0))
	for pair in _asks.take_held():
		_begin(pair[0], pair[1])
	_settle(body)


# Sends again what the server did not hear.
func _catch_up(heard: int) -> void:
	is_interrupted = false
	if _ledger.has_after(heard):
		outgoing = _ledger.after(heard)
	else:
		lose(Problem.make("connection_lost", "too much was said while the connection was broken", "connect again"))


func _or(value, otherwise):
	return otherwise if value == null else value


func _take_cast(entries: Array) -> void:
	npcs = {}
	for entry in entries:
		npcs[entry["npc_id"]] = entry["name"]


func _take_error(body: Dictionary) -> void:
	var error = Problem.read(body)
	var ref = body.get("ref")
	if _asks.has(ref):
		_asks.settle(ref, {}, error)
		return
	var request_id = _replies.id_of(ref)
	if request_id != "":
		_replies.end(request_id, error)
		return
	if error["code"] == "connection_lost":
		lose(error)
	elif error["code"] != "unknown_request":  # which is a cancel or an answer that crossed the reply's end
		push_warning("npc_sdk: the server refused a message: " + Problem.told(error))


func _settle(body: Dictionary) -> void:
	var ref = body.get("ref")
	if _asks.has(ref):
		_asks.settle(ref, body, {})
	elif body["type"] == "talking":
		_send({"type": "leave", "session_id": body["session_id"]}, [])  # nobody waits for it any more
