# One connection without its socket: what was asked and which replies are open, and how each ends exactly once.
# Knows no bytes on the wire but msgpack. Driven by link.gd; a new connection takes a new core, one that resumes the old.

const Platform = preload("platform.gd")
const Problem = preload("problem.gd")
const Msgpack = preload("msgpack.gd")
const Schema = preload("schema.gd")
const Ask = preload("ask.gd")
const Ledger = preload("ledger.gd")
const Picture = preload("picture.gd")

const REPLY_GRACE_S = 10.0  # beyond the server's own limit of a reply
const _ANSWERS = {
	"hello": "welcome",
	"talk": "talking",
	"leave": "left",
	"state": "state_ok",
	"learn": "learned",
	"forget": "noted",
	"happen": "felt",
	"stats": "figures",
	"sessions": "session_list",
	"ping": "pong",
	"bye": "goodbye",
}
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
var is_interrupted = false  # between a break and the welcome that goes on
var successor = null  # the core of the new connection, where the server did not know the old one any more

var _ledger = Ledger.new()
var _last_ref = 0
var _asks = {}  # ref: {ask, expects, until_s}
var _replies = {}  # request_id: {sink, session_id, ref, said, calls, until_s}
var _late = []  # [sink, event] and [ask, error] that must not come before the call that made them returns


# Something whose answer matters; see ask.gd. A refusal of our own comes with the next poll.
func ask(body: Dictionary):
	var pending = Ask.new()
	var error = lost
	if error.size() == 0 and _NEEDS.has(body["type"]):
		error = _missing(_NEEDS[body["type"]])
	if error.size() == 0:
		error = _send(body, [])
	if error.size() > 0:
		_late.append([pending, error])
		return pending
	var until_s = Platform.now_s() + answer_s
	_asks[_last_ref] = {"ask": pending, "expects": _ANSWERS[body["type"]], "until_s": until_s}
	return pending


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
	for ref in _asks.keys():
		if _asks[ref]["expects"] == "welcome":
			_asks.erase(ref)


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
	_replies[body["request_id"]] = {
		"sink": sink,
		"session_id": body["session_id"],
		"ref": _last_ref,
		"said": "",
		"calls": {},
		"until_s": Platform.now_s() + limits["reply_timeout_s"] + REPLY_GRACE_S,
	}


func fail_later(sink: Object, request_id: String, error: Dictionary) -> void:
	_late.append([sink, Problem.failed(request_id, error, "")])


func cancel(request_id: String) -> bool:
	if not _replies.has(request_id):
		return false
	_send({"type": "cancel", "request_id": request_id}, [])
	return true


# The node that listened is going away: its reply ends now, with the event that is returned.
func abandon(request_id: String) -> Dictionary:
	if not _replies.has(request_id):
		return {}
	var said = _replies[request_id]["said"]
	cancel(request_id)
	_replies.erase(request_id)
	return {"type": "finished", "request_id": request_id, "text": said, "finish_reason": "cancelled"}


# Empty, or why the call cannot be answered so.
func answer(request_id: String, call_id: String, status: String, content) -> Dictionary:
	var calls = _calls(request_id)
	if not calls.has(call_id):
		return _no_call(call_id)
	if calls[call_id] and status == "accepted":
		return Problem.make("bad_request", "call '%s' waits for the player" % call_id, "use confirm first")
	var body = {"type": "tool_result", "session_id": _replies[request_id]["session_id"], "call_id": call_id}
	body["status"] = status
	body["content"] = content
	var error = _send(body, [])
	if error.size() == 0:
		calls.erase(call_id)
	return error


# Empty, or why the player cannot be asked about this call any more.
func confirm(request_id: String, call_id: String, is_agreed: bool, reason: String) -> Dictionary:
	var calls = _calls(request_id)
	if not calls.has(call_id):
		return _no_call(call_id)
	var body = {"type": "confirm", "session_id": _replies[request_id]["session_id"], "call_id": call_id}
	body["is_agreed"] = is_agreed
	body["reason"] = reason
	var error = _send(body, [])
	if error.size() == 0 and is_agreed:
		calls[call_id] = false
	elif error.size() == 0:
		calls.erase(call_id)
	return error


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
	var asks = _asks.values()
	var replies = _replies
	_asks = {}
	_replies = {}
	for entry in asks:
		entry["ask"].settle({}, error)
	for request_id in replies:
		var reply = replies[request_id]
		_tell(reply["sink"], Problem.failed(request_id, error, reply["said"]))


# Gives up what was not answered in time, and brings what had to wait.
func poll() -> void:
	var now_s = Platform.now_s()
	for ref in _asks.keys():
		if _asks.has(ref) and now_s > _asks[ref]["until_s"]:
			_settle(ref, {}, Problem.make("timeout", "the server did not answer within %d s" % answer_s))
	for request_id in _replies.keys():
		if _replies.has(request_id) and now_s > _replies[request_id]["until_s"]:
			_end(request_id, Problem.make("timeout", "the reply did not end in time"))
			_send({"type": "cancel", "request_id": request_id}, [])
	var late = _late
	_late = []
	for pair in late:
		if pair[1].has("request_id"):
			_tell(pair[0], pair[1])
		else:
			pair[0].settle({}, pair[1])


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


func _calls(request_id: String) -> Dictionary:
	return _replies[request_id]["calls"] if _replies.has(request_id) else {}


func _no_call(call_id: String) -> Dictionary:
	return Problem.make("unknown_request", "call '%s' is not open" % call_id, "it may have timed out")


func _take(body: Dictionary) -> void:
	_ledger.heard += 0 if body["type"] == "welcome" else 1
	match body["type"]:
		"welcome":
			_take_welcome(body)
		"error":
			_take_error(body)
		"goodbye":
			_settle(body.get("ref"), body, {})
			lose(Problem.make("connection_lost", "the server said goodbye: " + body["reason"], "connect again"))
		"edited":
			if body.get("npcs") != null and body["npcs"].size() > 0:
				_take_cast(body["npcs"])
		_:
			if body.has("request_id"):
				_take_event(body)
			else:
				_settle(body.get("ref"), body, {})


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
	_settle(body.get("ref"), body, {})


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
	if ref != null and _asks.has(ref):
		_settle(ref, {}, error)
		return
	for request_id in _replies:
		if _replies[request_id]["ref"] == ref:
			_end(request_id, error)
			return
	if error["code"] == "connection_lost":
		lose(error)
	elif error["code"] != "unknown_request":  # which is a cancel or an answer that crossed the reply's end
		push_warning("npc_sdk: the server refused a message: %s (%s)" % [error["message"], error["hint"]])


func _take_event(event: Dictionary) -> void:
	var request_id = event["request_id"]
	if not _replies.has(request_id):
		return  # late, after an end of our own
	var reply = _replies[request_id]
	match event["type"]:
		"text":
			reply["said"] += event["text"]
		"tool_call":
			reply["calls"][event["call_id"]] = event.get("needs_confirmation") == true
		"tool_settled":
			reply["calls"].erase(event["call_id"])
		"finished":
			_replies.erase(request_id)
		"failed":
			_end(request_id, Problem.read(event))
			return
	_tell(reply["sink"], event)


func _end(request_id: String, error: Dictionary) -> void:
	var reply = _replies[request_id]
	_replies.erase(request_id)
	_tell(reply["sink"], Problem.failed(request_id, error, reply["said"]))


func _tell(sink, event: Dictionary) -> void:
	if is_instance_valid(sink):
		sink.hear(event)


func _settle(ref, answer: Dictionary, error: Dictionary) -> void:
	if ref == null or not _asks.has(ref):
		return
	var entry = _asks[ref]
	_asks.erase(ref)
	if error.size() == 0 and answer["type"] != entry["expects"]:
		error = Problem.make("protocol", "the server answered with '%s'" % answer["type"])
	entry["ask"].settle(answer if error.size() == 0 else {}, error)
