# Runs one of the programs that __main__.py names, as the arguments say; the exit code tells how it went.
extends Node

const Script_ = preload("script.gd")
const Nodes = preload("nodes.gd")
const Probe = preload("probe.gd")
const Vectors = preload("vectors.gd")


func _ready():
	Engine.target_fps = 120
	var arguments = _arguments()
	if arguments.has("vectors"):
		get_tree().quit(Vectors.new().run(arguments["vectors"]))
		return
	var token = OS.get_environment("NPC_SERVER_TOKEN")
	if arguments.has("probe"):
		add_child(Probe.new("tcp://%s:%s" % [arguments["host"], arguments["port"]]))
		return
	var script = Nodes.new() if arguments.has("nodes") else Script_.new()
	add_child(script)
	var code = yield(script.run(arguments["host"], int(arguments["port"]), token), "completed")
	get_tree().quit(code)


# Those of the form --npc-NAME=VALUE.
func _arguments() -> Dictionary:
	var arguments = {}
	for argument in OS.get_cmdline_args():
		if argument.begins_with("--npc-") and argument.find("=") > 0:
			var halves = argument.trim_prefix("--npc-").split("=", true, 1)
			arguments[halves[0]] = halves[1]
	return arguments
