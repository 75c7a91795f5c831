# What Godot 3 and Godot 4 write differently, under one name each: this is Godot 3's half.
# Knows nothing of NPCs. Called by every shared file.


static func now_s() -> float:
	return OS.get_ticks_msec() / 1000.0


static func is_bytes(value) -> bool:
	return typeof(value) == TYPE_RAW_ARRAY


static func is_float(value) -> bool:
	return typeof(value) == TYPE_REAL


static func is_text(value) -> bool:
	return typeof(value) == TYPE_STRING


# Whether it goes over the wire as an array: bytes do not.
static func is_list(value) -> bool:
	return typeof(value) in [TYPE_ARRAY, TYPE_STRING_ARRAY, TYPE_INT_ARRAY, TYPE_REAL_ARRAY]


static func no_bytes() -> PoolByteArray:
	return PoolByteArray()


static func to_bytes(numbers: Array) -> PoolByteArray:
	return PoolByteArray(numbers)


static func part(bytes: PoolByteArray, at: int, count: int) -> PoolByteArray:
	return bytes.subarray(at, at + count - 1) if count > 0 else PoolByteArray()


static func to_utf8(text: String) -> PoolByteArray:
	return text.to_utf8()


static func from_utf8(bytes: PoolByteArray) -> String:
	return bytes.get_string_from_utf8()


static func joined(parts: Array, between: String) -> String:
	return PoolStringArray(parts).join(between)


# A file's text; empty where it cannot be read.
static func read_file(path: String) -> String:
	var file = File.new()
	return file.get_as_text() if file.open(path, File.READ) == OK else ""


# Why a file cannot be read: OK, or an error of the engine.
static func read_error(path: String) -> int:
	return File.new().open(path, File.READ)


# The state of a TCP stream, after it has looked at its socket.
static func status_of(stream: StreamPeerTCP) -> int:
	return stream.get_status()


# A method that is called at every frame, also while the game is paused or the node does not process: the server cuts
# off whoever falls silent.
static func follow_frames(node: Node, method: String) -> void:
	node.get_tree().connect("idle_frame", node, method)


static func leave_frames(node: Node, method: String) -> void:
	node.get_tree().disconnect("idle_frame", node, method)


# The viewport's picture in RGB, its longer side at most max_side pixels; null where nothing is drawn.
static func image_of(viewport: Viewport, max_side: int) -> Image:
	var texture = viewport.get_texture()
	var image = texture.get_data() if texture != null else null
	if image == null or image.is_empty():
		return null
	image.flip_y()
	image.convert(Image.FORMAT_RGB8)
	var longer = max(image.get_width(), image.get_height())
	if longer > max_side:
		var scale = float(max_side) / longer
		image.resize(int(max(1, image.get_width() * scale)), int(max(1, image.get_height() * scale)))
	return image
