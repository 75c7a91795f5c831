# Finds the token to show, as PROTOCOL.md (Who may connect) says: the one given, the environment's, or npc serve's file.
# Knows no socket. Called by world_base.gd before each dialling, as a server that starts anew makes a new one.

const Platform = preload("platform.gd")

const VARIABLE = "NPC_SERVER_TOKEN"


# Empty where there is none, and for another machine: there it would cross a network in the clear.
static func find(given: String, host: String, port: int) -> String:
	if not is_local(host):
		return ""
	if given != "":
		return given
	if OS.get_environment(VARIABLE) != "":
		return OS.get_environment(VARIABLE)
	return Platform.read_file(_path(host, port)).strip_edges()


# What keeps `find` from a file that is there; empty where nothing does, or no file is needed.
static func fault(given: String, host: String, port: int) -> String:
	if not is_local(host) or given != "" or OS.get_environment(VARIABLE) != "":
		return ""
	var error = Platform.read_error(_path(host, port))
	if error == OK or error == ERR_FILE_NOT_FOUND:
		return ""
	return "the token file '%s' cannot be read: error %d of the engine" % [_path(host, port), error]


static func is_local(host: String) -> bool:
	return host == "localhost" or host == "::1" or host.begins_with("127.")


static func _path(host: String, port: int) -> String:
	var name = str(port)
	if host != "localhost" and host != "127.0.0.1":
		name += "@" + host.replace(":", "-")
	return "%s/npc-sdk/%s.token" % [_user_folder(), name]


static func _user_folder() -> String:
	var home = OS.get_environment("HOME")
	if OS.get_name() == "Windows":
		return OS.get_environment("LOCALAPPDATA")
	if OS.get_name() == "OSX" or OS.get_name() == "macOS":
		return home + "/Library/Caches"
	for variable in ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME"]:
		if OS.get_environment(variable) != "":
			return OS.get_environment(variable)
	return home + "/.cache"
