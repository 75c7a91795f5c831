# Errors as dictionaries, in the protocol's four fields: code, message, hint, retryable.
# Knows neither socket nor node. Made by every other file; PROTOCOL.md lists the codes.


static func make(code: String, message: String, hint: String = "") -> Dictionary:
	var retryable = code == "connection_lost" or code == "timeout" or code == "overloaded"
	return {"code": code, "message": message, "hint": hint, "retryable": retryable}


# For a log.
static func told(error: Dictionary) -> String:
	return error["message"] + (" (%s)" % error["hint"] if error["hint"] != "" else "")


# The error of a message of the server: "error" and "failed" carry the same four fields, "failed" perhaps a bark.
static func read(body: Dictionary) -> Dictionary:
	return {
		"code": body["code"],
		"message": body["message"],
		"hint": body.get("hint", ""),
		"retryable": body.get("retryable", false),
		"bark": "" if body.get("bark") == null else body["bark"],
	}


# How the protocol tells that a reply failed: an event that ends it.
static func failed(request_id: String, error: Dictionary, said: String) -> Dictionary:
	var event = error.duplicate()
	event["type"] = "failed"
	event["request_id"] = request_id
	event["text"] = said
	return event
