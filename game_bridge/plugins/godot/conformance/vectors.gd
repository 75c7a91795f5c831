# Reads the golden frames with the addon's own codec, and feeds it what no sound server sends.

const Platform = preload("addons/npc_sdk/platform.gd")
const Msgpack = preload("addons/npc_sdk/msgpack.gd")
const Schema = preload("addons/npc_sdk/schema.gd")
const Core = preload("addons/npc_sdk/core.gd")
const Zmtp = preload("addons/npc_sdk/zmtp.gd")

const READY = "04290552454144590b536f636b65742d54797065000000064445414c4552084964656e7469747900000000"

# Bytes after the handshake that must end the connection, or, where the second is false, must not.
const HOSTILE = [
	["a flag that means nothing", "0800"],
	["a command with more", "0500"],
	["a frame over 16 MB", "020000000001000001"],
	["a length of 2^63", "028000000000000000"],
	["17 frames in one message", "0100010001000100010001000100010001000100010001000100010001000100010001000000"],
	["a PING with a context too long", "041904" + "50494e47" + "0000" + "0000000000000000000000000000000000000000"],
]

var _faults = 0


# 0 where all is as it should be.
func run(folder: String) -> int:
	var valid = _rows(folder.plus_file("valid.json"))
	var invalid = _rows(folder.plus_file("invalid.json"))
	for row in valid:
		_check_valid(row)
	for row in invalid:
		_check_refused(row)
	for row in HOSTILE:
		_check_hostile(row[0], row[1])
	_check_resuming()
	_check(valid.size() > 0 and invalid.size() > 0, "the files hold nothing")
	if _faults == 0:
		print("ok vectors %d valid, %d invalid, %d hostile" % [valid.size(), invalid.size(), HOSTILE.size()])
	return int(min(_faults, 1))


func _rows(path: String) -> Array:
	var rows = parse_json(Platform.read_file(path))
	return rows if rows is Array else []


func _check(is_so: bool, fault: String) -> void:
	if not is_so:
		_faults += 1
		print("failed " + fault)


func _check_valid(row: Dictionary) -> void:
	var reader = Msgpack.new()
	var body = reader.unpack(_bytes(row["frames"][0]))
	_check(reader.error == "" and _is_same(body, row["body"]), "%s: %s %s" % [row["name"], reader.error, str(body)])
	var writer = Msgpack.new()
	var again = Msgpack.new().unpack(writer.pack(body))
	_check(writer.error == "" and _is_same(again, row["body"]), "%s: written as %s" % [row["name"], str(again)])
	if row["sender"] == "server":
		_check(Schema.fault_of(body) == "", "%s: %s" % [row["name"], Schema.fault_of(body)])
		body["surplus"] = 1
		_check(Schema.fault_of(body) != "", "%s: a surplus field was taken" % row["name"])


# What a client may not send, a server may not send either: it ends the connection with an error. But for its own types.
func _check_refused(row: Dictionary) -> void:
	var core = Core.new()
	var frames = []
	for frame in row["frames"]:
		frames.append(_bytes(frame))
	core.receive(frames)
	var is_servers = row["name"] == "a server's type"
	_check((core.lost.get("code") == "protocol") != is_servers, "%s: ended as %s" % [row["name"], str(core.lost)])


func _check_hostile(name: String, bytes: String) -> void:
	var zmtp = Zmtp.new("")
	zmtp.feed(zmtp.outgoing[0])
	zmtp.feed(_bytes(READY))
	_check(zmtp.is_open(), "%s: no handshake" % name)
	zmtp.feed(_bytes(bytes))
	_check(zmtp.error.get("code") == "protocol", "%s: was taken" % name)


# A connection that broke: what was not heard is sent again; or all that was open ends, once.
func _check_resuming() -> void:
	for is_known in [true, false]:
		var ends = []
		var core = Core.new()
		core.hello("vectors", ["resume"])
		core.receive(_welcome(1, {}))
		core.outgoing = []
		for number in range(2):
			core.ask({"type": "ping"}).listen(Ends.new(ends), "hear_ask")
		core.interrupt()
		core.ask({"type": "stats"}).listen(Ends.new(ends), "hear_ask")
		core.hello("vectors", ["resume"])
		_check(core.outgoing.size() == 1, "%d messages go out while it is broken" % core.outgoing.size())
		core.receive(_welcome(5, {"resumed": is_known, "heard": 1 if is_known else null}))
		_check((core.successor == null) == is_known, "resumed %s: another core" % str(is_known))
		_check(core.outgoing.size() == (2 if is_known else 1), "%d messages were sent again" % core.outgoing.size())
		_check(ends == ([] if is_known else ["connection_lost", "connection_lost", "connection_lost"]), str(ends))


func _welcome(ref: int, more: Dictionary) -> Array:
	var body = {"type": "welcome", "ref": ref, "protocol": 1, "server": "s", "capabilities": ["stats", "resume"]}
	var limits = {"max_body_bytes": 262144, "max_images": 4, "max_image_bytes": 8388608, "max_sessions": 32}
	for pair in [["max_requests", 8], ["heartbeat_s", 1.0], ["idle_s", 9.0], ["reply_timeout_s", 9.0]]:
		limits[pair[0]] = pair[1]
	body["limits"] = limits
	body["npcs"] = []
	body["resume"] = "0123456789abcdef01234567"
	body["resume_s"] = 9.0
	for name in more:
		body[name] = more[name]
	return [Msgpack.new().pack(body)]


# Notes why asks ended.
class Ends:
	var _codes = []

	func _init(codes: Array):
		_codes = codes

	func hear_ask(ask) -> void:
		_codes.append(ask.error.get("code"))


func _bytes(hex: String):
	var numbers = []
	for index in range(0, hex.length(), 2):
		numbers.append(("0x" + hex.substr(index, 2)).hex_to_int())
	return Platform.to_bytes(numbers)


# JSON knows one kind of number, so 1 and 1.0 count as the same.
func _is_same(ours, golden) -> bool:
	if typeof(ours) == TYPE_DICTIONARY and typeof(golden) == TYPE_DICTIONARY:
		for key in golden:
			if not ours.has(key) or not _is_same(ours[key], golden[key]):
				return false
		return ours.size() == golden.size()
	if typeof(ours) == TYPE_ARRAY and typeof(golden) == TYPE_ARRAY:
		for index in range(min(ours.size(), golden.size())):
			if not _is_same(ours[index], golden[index]):
				return false
		return ours.size() == golden.size()
	if typeof(golden) == TYPE_REAL:
		return (typeof(ours) == TYPE_INT or typeof(ours) == TYPE_REAL) and float(ours) == golden
	return typeof(ours) == typeof(golden) and ours == golden
