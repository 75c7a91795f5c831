# What the server's messages look like: PROTOCOL.md's tables (Messages from server to client).
# Knows no bytes. Called by core.gd for each message that came.

const Platform = preload("platform.gd")

const VERSION = 1

# A kind that ends in ? may be missing or nil; one that ends in * is an array of such.
const _NPC = {"npc_id": "id", "name": "id"}
const _LIMITS = {
	"max_body_bytes": "int",
	"max_images": "int",
	"max_image_bytes": "int",
	"max_sessions": "int",
	"max_requests": "int",
	"heartbeat_s": "float",
	"idle_s": "float",
	"reply_timeout_s": "float",
}
const _MISTAKE = {"path": "text", "line": "int?", "column": "int?", "message": "text", "hint": "text?"}
const _USAGE = {"prompt_tokens": "int?", "cached_tokens": "int?", "completion_tokens": "int?"}
const _TIMINGS = {
	"queued_s": "float?", "prefill_s": "float?", "first_token_s": "float?", "decode_s": "float?", "total_s": "float?"
}
const _SESSION = {"session_id": "id", "npc_id": "id", "player": "id", "request_id": "id?"}
const _RECORDS = {
	"npc": _NPC,
	"limits": _LIMITS,
	"mistake": _MISTAKE,
	"session": _SESSION,
	"usage": _USAGE,
	"timings": _TIMINGS,
}

const _MESSAGES = {
	"welcome":
	{
		"ref": "int?",
		"protocol": "int",
		"server": "id",
		"capabilities": "id*",
		"limits": "limits",
		"npcs": "npc*",
		"pronunciations": "map?",
		"resume": "id?",
		"resume_s": "float?",
		"resumed": "bool?",
		"heard": "int?",
	},
	"talking": {"ref": "int?", "session_id": "id", "npc_id": "id", "greeting": "text"},
	"left": {"ref": "int?", "session_id": "id"},
	"session_list": {"ref": "int?", "sessions": "session*"},
	"state_ok": {"ref": "int?"},
	"noted": {"ref": "int?"},
	"learned": {"ref": "int?", "entry_id": "id"},
	"felt": {"ref": "int?", "mood": "text", "relation": "map"},
	"pong": {"ref": "int?"},
	"goodbye": {"ref": "int?", "reason": "id"},
	"error": {"ref": "int?", "code": "id", "message": "text", "hint": "text?", "retryable": "bool?"},
	"edited":
	{
		"ref": "int?",
		"changed": "id*?",
		"added": "id*?",
		"removed": "id*?",
		"npcs": "npc*?",
		"mistakes": "mistake*?",
	},
	"figures":
	{
		"ref": "int?",
		"name": "text?",
		"device": "text?",
		"bridge": "map?",
		"engine": "map?",
		"batches": "map*?",
		"cache": "map?",
		"governor": "map?",
		"requests": "map*?",
	},
	"text": {"request_id": "id", "text": "text"},
	"sentence": {"request_id": "id", "index": "int", "text": "text"},
	"emote": {"request_id": "id", "text": "text", "kind": "id"},
	"notice": {"request_id": "id", "code": "id", "subject": "id", "message": "text"},
	"structured": {"request_id": "id", "value": "any?"},
	"tool_call":
	{"request_id": "id", "call_id": "id", "name": "id", "arguments": "map", "needs_confirmation": "bool?"},
	"tool_settled": {"request_id": "id", "call_id": "id", "name": "id", "status": "id", "content": "any?"},
	"finished":
	{"request_id": "id", "text": "text", "finish_reason": "id", "usage": "usage?", "timings": "timings?"},
	"failed":
	{
		"request_id": "id",
		"code": "id",
		"message": "text",
		"hint": "text?",
		"retryable": "bool?",
		"text": "text?",
		"bark": "text?",
	},
}


# What is wrong with a map as a message of the server; empty if nothing is.
static func fault_of(body: Dictionary) -> String:
	var type = body.get("type")
	if not Platform.is_text(type):
		return "type is missing or no text"
	if not _MESSAGES.has(type):
		return "no server message is of type '%s'" % type
	var fields = body.duplicate()
	fields.erase("type")
	var fault = _record_fault(fields, _MESSAGES[type])
	return "" if fault == "" else "%s: %s" % [type, fault]


static func _record_fault(fields: Dictionary, kinds: Dictionary) -> String:
	for name in fields:
		if not kinds.has(name):
			return "unknown field '%s'" % name
	for name in kinds:
		var kind = kinds[name]
		var value = fields.get(name)
		if kind.ends_with("?"):
			if value == null:
				continue
			kind = kind.substr(0, kind.length() - 1)
		var fault = _list_fault(value, kind) if kind.ends_with("*") else _value_fault(value, kind)
		if fault != "":
			return "%s %s" % [name, fault]
	return ""


static func _list_fault(value, kind: String) -> String:
	if typeof(value) != TYPE_ARRAY:
		return "is missing or no array"
	for item in value:
		var fault = _value_fault(item, kind.substr(0, kind.length() - 1))
		if fault != "":
			return fault
	return ""


static func _value_fault(value, kind: String) -> String:
	if _RECORDS.has(kind):
		return _record_fault(value, _RECORDS[kind]) if typeof(value) == TYPE_DICTIONARY else "is missing or no map"
	return "" if _is_kind(value, kind) else "is missing or no %s" % kind


static func _is_kind(value, kind: String) -> bool:
	match kind:
		"id":
			return Platform.is_text(value) and value.length() > 0 and value.length() <= 128
		"text":
			return Platform.is_text(value)
		"int":
			return typeof(value) == TYPE_INT and value >= 0
		"float":
			return (Platform.is_float(value) or typeof(value) == TYPE_INT) and value >= 0
		"bool":
			return typeof(value) == TYPE_BOOL
		"map":
			return typeof(value) == TYPE_DICTIONARY
	return kind == "any"
