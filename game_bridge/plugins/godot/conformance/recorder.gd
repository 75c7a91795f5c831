# What an Npc has signalled since the last clear, in order.

const Platform = preload("addons/npc_sdk/platform.gd")

var pieces = []
var sentences = []
var calls = []
var settled = []
var emotes = []
var values = []
var ends = []  # [kind, text or error, reason]
var answer_with = ""  # accepted or refused; calls are left alone where empty
var agrees = null  # what the player says where a call needs that
var cut_after = 0  # the piece after which the harness is asked to cut the connection

var _npc = null


func _init(npc: Node):
	_npc = npc
	npc.connect("response_updated", self, "_on_updated")
	npc.connect("sentence_finished", self, "_on_sentence")
	npc.connect("tool_called", self, "_on_called")
	npc.connect("tool_settled", self, "_on_settled")
	npc.connect("emote", self, "_on_emote")
	npc.connect("structured", self, "_on_structured")
	npc.connect("response_finished", self, "_on_finished")
	npc.connect("response_failed", self, "_on_failed")


func clear() -> void:
	pieces = []
	sentences = []
	calls = []
	settled = []
	emotes = []
	values = []
	ends = []
	answer_with = ""
	agrees = null
	cut_after = 0


func joined() -> String:
	return Platform.joined(pieces, "")


func _on_updated(text):
	pieces.append(text)
	if pieces.size() == cut_after:
		print("CUT")


func _on_sentence(index, text):
	sentences.append([index, text])


func _on_called(call):
	calls.append(call)
	if agrees != null and call.get("needs_confirmation") == true:
		_npc.confirm(call["call_id"], agrees)
	if answer_with == "accepted":
		_npc.answer(call["call_id"], "accepted", {"left": 0})
	elif answer_with == "refused":
		_npc.answer(call["call_id"], "refused", "The sword is not for sale.")


func _on_emote(text, kind):
	emotes.append([kind, text])


func _on_structured(value):
	values.append(value)


func _on_settled(result):
	settled.append(result)


func _on_finished(text, reason):
	ends.append(["finished", text, reason])


func _on_failed(error):
	ends.append(["failed", error, ""])
