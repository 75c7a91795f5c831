# What Godot 3 and Godot 4 write differently, under one name each: this is Godot 4's half.
# Knows nothing of NPCs. Called by every shared file.

const _LISTS = [
	TYPE_ARRAY,
	TYPE_PACKED_STRING_ARRAY,
	TYPE_PACKED_INT32_ARRAY,
	TYPE_PACKED_INT64_ARRAY,
	TYPE_PACKED_FLOAT32_ARRAY,
	TYPE_PACKED_FLOAT64_ARRAY,
]


static func now_s() -> float:
	return Time.get_ticks_msec() / 1000.0


static func is_bytes(value) -> bool:
	return typeof(value) == TYPE_PACKED_BYTE_ARRAY


static func is_float(value) -> bool:
	return typeof(value) == TYPE_FLOAT


static func is_text(value) -> bool:
	return typeof(value) == TYPE_STRING or typeof(value) == TYPE_STRING_NAME


# Whether it goes over the wire as an array: bytes do not.
static func is_list(value) -> bool:
	return typeof(value) in _LISTS


static func no_bytes() -> PackedByteArray:
	return PackedByteArray()


static func to_bytes(numbers: Array) -> PackedByteArray:
	return PackedByteArray(numbers)


static func part(bytes: PackedByteArray, at: int, count: int) -> PackedByteArray:
	return bytes.slice(at, at + count)


static func to_utf8(text: String) -> PackedByteArray:
	return text.to_utf8_buffer()


static func from_utf8(bytes: PackedByteArray) -> String:
	return bytes.get_string_from_utf8()


static func joined(parts: Array, between: String) -> String:
	return between.join(PackedStringArray(parts))


# A file's text; empty where it cannot be read.
static func read_file(path: String) -> String:
	return FileAccess.get_file_as_string(path) if FileAccess.file_exists(path) else ""


# Why a file cannot be read: OK, or an error of the engine.
static func read_error(path: String) -> int:
	return OK if FileAccess.open(path, FileAccess.READ) != null else FileAccess.get_open_error()


# The state of a TCP stream, after it has looked at its socket.
static func status_of(stream: StreamPeerTCP) -> int:
	stream.poll()
	return stream.get_status()


# A method that is called at every frame, also while the game is paused or the node does not process: the server cuts
# off whoever falls silent.
static func follow_frames(node: Node, method: String) -> void:
	node.get_tree().process_frame.connect(Callable(node, method))


static func leave_frames(node: Node, method: String) -> void:
	node.get_tree().process_frame.disconnect(Callable(node, method))


# The viewport's picture in RGB, its longer side at most max_side pixels; null where nothing is drawn.
static func image_of(viewport: Viewport, max_side: int) -> Image:
	if DisplayServer.get_name() == "headless":
		return null
	var texture = viewport.get_texture()
	var image = texture.get_image() if texture != null else null
	if image == null or image.is_empty():
		return null
	image.convert(Image.FORMAT_RGB8)
	var longer = max(image.get_width(), image.get_height())
	if longer > max_side:
		var scale = float(max_side) / longer
		image.resize(int(max(1, image.get_width() * scale)), int(max(1, image.get_height() * scale)))
	return image
