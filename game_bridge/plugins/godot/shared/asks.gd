# What was asked and is not answered yet: each ask settles once, by its answer, a refusal, or because its time is up.
# Knows no connection. Owned by core.gd.

const Platform = preload("platform.gd")
const Problem = preload("problem.gd")
const Ask = preload("ask.gd")

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
# hello counts among no messages; what is to end shall end, also where nobody waits for it
const _STILL_MEANT = ["welcome", "left", "goodbye"]

var _asks = {}  # ref: {ask, expects, until_s, number}
var _held = []  # [ask, body], until the server has said welcome


# number is the message's place among those that were sent.
func add(pending: Object, ref: int, type: String, number: int, answer_s: float) -> void:
	_asks[ref] = {"ask": pending, "expects": _ANSWERS[type], "until_s": Platform.now_s() + answer_s, "number": number}


# What is asked before the welcome waits for that; the time of the handshake is bounded.
func hold(pending: Object, body: Dictionary) -> void:
	_held.append([pending, body])


func take_held() -> Array:
	var held = _held
	_held = []
	return held


# Whether the ask was held; it is not any more.
func let_go(pending) -> bool:
	for pair in _held:
		if pair[0] == pending:
			_held.erase(pair)
			return true
	return false


func has(ref) -> bool:
	return ref != null and _asks.has(ref)


# The refs of those whose time is up.
func overdue() -> Array:
	var refs = []
	var now_s = Platform.now_s()
	for ref in _asks:
		if now_s > _asks[ref]["until_s"]:
			refs.append(ref)
	return refs


# 0 where no ask of this ref is open.
func ref_of(pending) -> int:
	for ref in _asks:
		if _asks[ref]["ask"] == pending:
			return ref
	return 0


# Whose answer nobody waits for any more: the ask, and the number of the message that need not be said again, or 0.
func take(ref: int) -> Array:
	var entry = _asks[ref]
	_asks.erase(ref)
	return [entry["ask"], 0 if entry["expects"] in _STILL_MEANT else entry["number"]]


func settle(ref: int, answer: Dictionary, error: Dictionary) -> void:
	var entry = _asks[ref]
	_asks.erase(ref)
	if error.size() == 0 and answer["type"] != entry["expects"]:
		error = Problem.make("protocol", "the server answered with '%s'" % answer["type"])
	entry["ask"].settle(answer if error.size() == 0 else {}, error)


# The connection is gone, or, where that is what the game wants, closed.
func settle_all(error: Dictionary, is_meant: bool) -> void:
	var open = []
	for entry in _asks.values():
		open.append(entry["ask"])
	for pair in take_held():
		open.append(pair[0])
	_asks = {}
	for pending in open:
		pending.is_quiet = pending.is_quiet or is_meant
		pending.settle({}, error)


# The line broke: a hello is said anew on the next one.
func drop_hello() -> void:
	for ref in _asks.keys():
		if _asks[ref]["expects"] == "welcome":
			_asks.erase(ref)
