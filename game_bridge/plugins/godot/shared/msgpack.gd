# One msgpack map as bytes, and back, with all that PROTOCOL.md (Maps) refuses refused.
# Knows no message. A fresh object for each message; `error` says what was wrong with it.

const Platform = preload("platform.gd")

const MAX_DEPTH = 16
const MAX_VALUES = 20000
const LONG_BYTES = 256

var error = ""

var _stream = StreamPeerBuffer.new()
var _values = 0


func _init():
	_stream.big_endian = true


# No bytes and an error where the map cannot go over the wire.
func pack(body: Dictionary):
	_write(body, 0)
	return _stream.data_array if error == "" else Platform.no_bytes()


# An empty map and an error where the bytes are not exactly one map.
func unpack(bytes) -> Dictionary:
	_stream.data_array = bytes
	var body = _read(0)
	if error == "" and typeof(body) != TYPE_DICTIONARY:
		_fail("the message is no map")
	if error == "" and _left() > 0:
		_fail("%d bytes stand after the map" % _left())
	return body if error == "" else {}


func _fail(message: String):
	if error == "":
		error = message
	return null


func _left() -> int:
	return _stream.get_size() - _stream.get_position()


# Whether one more value may come, in bounds of depth and number.
func _count(depth: int) -> bool:
	_values += 1
	if depth > MAX_DEPTH:
		_fail("nested deeper than %d" % MAX_DEPTH)
	if _values > MAX_VALUES:
		_fail("more than %d values" % MAX_VALUES)
	return error == ""


func _write(value, depth: int) -> void:
	if not _count(depth):
		return
	if value == null:
		_stream.put_u8(0xc0)
	elif typeof(value) == TYPE_BOOL:
		_stream.put_u8(0xc3 if value else 0xc2)
	elif typeof(value) == TYPE_INT:
		_write_int(value)
	elif Platform.is_float(value):
		_write_float(value)
	elif Platform.is_text(value):
		_write_text(value)
	elif Platform.is_list(value):
		_write_size(value.size(), 0x90, 0xdc)
		for item in value:
			_write(item, depth + 1)
	elif typeof(value) == TYPE_DICTIONARY:
		_write_map(value, depth)
	else:
		_fail("%s cannot go over the wire: nil, booleans, numbers, texts, arrays and dictionaries can" % str(value))


func _write_int(value: int) -> void:
	if value >= -32 and value <= 127:
		_stream.put_8(value)
	elif value >= -0x80000000 and value <= 0x7fffffff:
		_stream.put_u8(0xd2)
		_stream.put_32(value)
	else:
		_stream.put_u8(0xd3)
		_stream.put_64(value)


func _write_float(value: float) -> void:
	if is_nan(value) or is_inf(value):
		_fail("%s is no finite number" % str(value))
	_stream.put_u8(0xcb)
	_stream.put_double(value)


func _write_text(value) -> void:
	var bytes = Platform.to_utf8(value)
	if bytes.size() < 32:
		_stream.put_u8(0xa0 + bytes.size())
	else:
		_stream.put_u8(0xdb)
		_stream.put_u32(bytes.size())
	if bytes.size() > 0:
		_stream.put_data(bytes)


# The head of an array or a map: 16 sizes fit the first byte, others take 16 bits; more are over MAX_VALUES.
func _write_size(size: int, small: int, large: int) -> void:
	if size > MAX_VALUES:
		_fail("more than %d values" % MAX_VALUES)
	elif size < 16:
		_stream.put_u8(small + size)
	else:
		_stream.put_u8(large)
		_stream.put_u16(size)


func _write_map(value: Dictionary, depth: int) -> void:
	_write_size(value.size(), 0x80, 0xde)
	for key in value:
		if not Platform.is_text(key):
			_fail("key %s is no text" % str(key))
			return
		_write_text(key)
		_write(value[key], depth + 1)


func _read(depth: int):
	if not _count(depth) or not _has(1):
		return null
	var head = _stream.get_u8()
	if head < 0x80:
		return head
	if head < 0x90:
		return _read_map(head - 0x80, depth)
	if head < 0xa0:
		return _read_array(head - 0x90, depth)
	if head < 0xc0:
		return _read_text(head - 0xa0)
	if head >= 0xe0:
		return head - 0x100
	return _read_long(head, depth)


func _read_long(head: int, depth: int):
	match head:
		0xc0:
			return null
		0xc2:
			return false
		0xc3:
			return true
		0xca, 0xcb:
			return _read_float(head)
		0xd9, 0xda, 0xdb:
			return _read_text(_read_unsigned(1 << (head - 0xd9)))
		0xdc, 0xdd:
			return _read_array(_read_unsigned(2 << (head - 0xdc)), depth)
		0xde, 0xdf:
			return _read_map(_read_unsigned(2 << (head - 0xde)), depth)
		0xcc, 0xcd, 0xce, 0xcf:
			return _read_unsigned(1 << (head - 0xcc))
		0xd0, 0xd1, 0xd2, 0xd3:
			return _read_signed(1 << (head - 0xd0))
	return _fail("the byte %d begins nothing that the protocol uses" % head)


# Whether so many bytes are still there: the stream itself would read zeros past its end.
func _has(count: int) -> bool:
	if error == "" and count > _left():
		_fail("the message is cut short")
	return error == ""


func _read_unsigned(width: int) -> int:
	if not _has(width):
		return 0
	match width:
		1:
			return _stream.get_u8()
		2:
			return _stream.get_u16()
		4:
			return _stream.get_u32()
	var value = _stream.get_64()
	if value < 0:
		_fail("an integer does not fit 64 bits, signed")
	return value


func _read_signed(width: int) -> int:
	if not _has(width):
		return 0
	match width:
		1:
			return _stream.get_8()
		2:
			return _stream.get_16()
		4:
			return _stream.get_32()
	return _stream.get_64()


func _read_float(head: int):
	if not _has(4 if head == 0xca else 8):
		return null
	var value = _stream.get_float() if head == 0xca else _stream.get_double()
	if is_nan(value) or is_inf(value):
		return _fail("a number is not finite")
	return value


func _read_text(size: int):
	if not _has(size) or size == 0:
		return ""
	return _text_of(_stream.get_data(size)[1])


# The engine's own reader stops at a fault or a zero, so bytes are looked at first. That takes 0.4 us a byte, too much
# for a long text: where the reader's text makes the same bytes again, there was no fault in it.
func _text_of(bytes) -> String:
	if bytes.size() > LONG_BYTES:
		var text = Platform.from_utf8(bytes)
		if Platform.to_utf8(text) == bytes:
			return text
	if not _is_utf8(bytes):
		_fail("a text is not UTF-8")
		return ""
	for index in range(bytes.size()):
		if bytes[index] == 0:
			bytes[index] = 0x20  # an engine's text ends at a zero; a blank stands for it
	return Platform.from_utf8(bytes)


func _is_utf8(bytes) -> bool:
	var at = 0
	while at < bytes.size():
		var head = bytes[at]
		var more = _bytes_after(head)
		if more < 0 or at + more >= bytes.size():
			return false
		for step in range(1, more + 1):
			if bytes[at + step] & 0xc0 != 0x80:
				return false
		if more > 0 and not _is_shortest(head, bytes[at + 1]):
			return false
		at += 1 + more
	return true


# How many bytes follow the first of a character; -1 for a byte that begins none.
func _bytes_after(head: int) -> int:
	if head < 0x80:
		return 0
	if head >= 0xc2 and head < 0xe0:
		return 1
	if head >= 0xe0 and head < 0xf0:
		return 2
	return 3 if head >= 0xf0 and head < 0xf5 else -1


# Neither an overlong form, nor half of a surrogate pair, nor beyond Unicode's last character.
func _is_shortest(head: int, second: int) -> bool:
	match head:
		0xe0:
			return second >= 0xa0
		0xed:
			return second < 0xa0
		0xf0:
			return second >= 0x90
		0xf4:
			return second < 0x90
	return true


func _read_array(size: int, depth: int):
	var items = []
	if size > MAX_VALUES:
		return _fail("more than %d values" % MAX_VALUES)
	for _index in range(size):
		items.append(_read(depth + 1))
		if error != "":
			return null
	return items


func _read_map(size: int, depth: int):
	var map = {}
	if size > MAX_VALUES:
		return _fail("more than %d values" % MAX_VALUES)
	for _index in range(size):
		var key = _read(depth + 1)
		if error == "" and typeof(key) != TYPE_STRING:
			_fail("a key is no text")
		if error == "" and map.has(key):
			_fail("key '%s' appears twice" % key)
		if error != "":
			return null
		map[key] = _read(depth + 1)
	if error != "":
		return null
	return map
