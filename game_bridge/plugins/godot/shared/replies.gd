# The replies that are open: what each has said so far, which of its calls wait for the game, and that it ends once.
# Knows no connection. Owned by core.gd.

const Platform = preload("platform.gd")
const Problem = preload("problem.gd")

var _replies = {}  # request_id: {sink, session_id, ref, said, calls, until_s}; calls are call_id: whether to confirm


# The reply's events go to sink.hear(event).
func add(sink: Object, body: Dictionary, ref: int, time_s: float) -> void:
	_replies[body["request_id"]] = {
		"sink": sink,
		"session_id": body["session_id"],
		"ref": ref,
		"said": "",
		"calls": {},
		"until_s": Platform.now_s() + time_s,
	}


func has(request_id: String) -> bool:
	return _replies.has(request_id)


# Those whose time is up.
func overdue() -> Array:
	var late = []
	var now_s = Platform.now_s()
	for request_id in _replies:
		if now_s > _replies[request_id]["until_s"]:
			late.append(request_id)
	return late


# Empty where no reply was begun by the message of this ref.
func id_of(ref) -> String:
	for request_id in _replies:
		if _replies[request_id]["ref"] == ref:
			return request_id
	return ""


func session_of(request_id: String) -> String:
	return _replies[request_id]["session_id"]


# Nobody listens any more; what was said so far.
func drop(request_id: String) -> String:
	var said = _replies[request_id]["said"]
	_replies.erase(request_id)
	return said


# Empty, or why a call is not open.
func call_fault(request_id: String, call_id: String) -> Dictionary:
	if has(request_id) and _replies[request_id]["calls"].has(call_id):
		return {}
	return Problem.make("unknown_request", "call '%s' is not open" % call_id, "it may have timed out")


# Empty, or why an open call cannot end so.
func status_fault(request_id: String, call_id: String, status: String) -> Dictionary:
	if status != "accepted" and status != "refused":
		return Problem.make("bad_request", "a call cannot be '%s'" % status, "it is accepted or refused")
	if status == "accepted" and _replies[request_id]["calls"][call_id]:
		return Problem.make("bad_request", "call '%s' waits for the player" % call_id, "use confirm first")
	return {}


# The player has agreed to it.
func agree(request_id: String, call_id: String) -> void:
	_replies[request_id]["calls"][call_id] = false


func close_call(request_id: String, call_id: String) -> void:
	_replies[request_id]["calls"].erase(call_id)


func hear(event: Dictionary) -> void:
	var request_id = event["request_id"]
	if not has(request_id):
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
			end(request_id, Problem.read(event))
			return
	_tell(reply["sink"], event)


func end(request_id: String, error: Dictionary) -> void:
	var reply = _replies[request_id]
	_replies.erase(request_id)
	_tell(reply["sink"], Problem.failed(request_id, error, reply["said"]))


func end_all(error: Dictionary) -> void:
	var open = _replies
	_replies = {}
	for request_id in open:
		_tell(open[request_id]["sink"], Problem.failed(request_id, error, open[request_id]["said"]))


func _tell(sink, event: Dictionary) -> void:
	if is_instance_valid(sink):
		sink.hear(event)
