# A whole game: one NPC, one line to type in. With the argument --say=Hello. that is said at once, and the game ends;
# after -- it may stand, too.
extends Control

var _line = ""
var _is_scripted = false


func _on_connected():
	print("connected to: ", ", ".join(PackedStringArray($World.npcs().values())))
	$World.set_state({"holds": ["sword"]}, "mara")  # before the game has told it, she cannot give it
	$Npc.talk()
	for argument in OS.get_cmdline_args() + OS.get_cmdline_user_args():
		if argument.begins_with("--say="):
			_is_scripted = true
			$Input.text_submitted.emit(argument.trim_prefix("--say="))


func _on_disconnected(error):
	print("disconnected: %s (%s)" % [error["message"], error["hint"]])


func _on_entered(words):
	_line = ""
	$Words.text = ""
	$Npc.ask(words)


func _on_words(text):
	_line += text
	$Words.text = _line


func _on_tool_called(wanted):
	print("the NPC wants: ", wanted["name"], " ", wanted["arguments"])
	$Npc.answer(wanted["call_id"], "accepted", "done")


func _on_finished(text, _reason):
	print("said: ", text)
	if _is_scripted:
		get_tree().quit()


func _on_failed(error):
	print("failed: %s (%s)" % [error["message"], error["hint"]])
