# What somebody says, sentence by sentence: each stands as long as it takes to read it, then the next one follows.
# Knows no node. Filled by villager.gd, drawn by speech.gd.

const CHARS_PER_S = 55.0
const REST_S = 1.1
const REST_PER_CHAR_S = 0.022
const LAST_S = 4.0

var _sentences = [""]
var _chars = 0.0
var _rest_s = 0.0


# Something new is said: what stood there goes away.
func begin() -> void:
	_sentences = [""]
	_chars = 0.0
	_rest_s = 0.0


# A streamed piece.
func add(piece: String) -> void:
	var i = _sentences.size() - 1
	_sentences[i] = (_sentences[i] + piece).strip_edges(true, false)


# The sentence whose pieces came is complete, as this text.
func end_sentence(text: String) -> void:
	var rest = _sentences[_sentences.size() - 1].trim_prefix(text)
	_sentences[_sentences.size() - 1] = text
	_sentences.append(rest.strip_edges(true, false) if rest.length() < 40 else "")


func say(text: String) -> void:
	begin()
	add(text)


func advance(delta: float) -> void:
	var now = _sentences[0]
	if _chars < now.length():
		_chars = min(now.length(), _chars + CHARS_PER_S * delta)
		_rest_s = 0.0
		return
	_rest_s += delta
	var is_next = _sentences.size() > 1 and _sentences[1] != ""
	if now != "" and _rest_s > (REST_S + now.length() * REST_PER_CHAR_S if is_next else LAST_S):
		_sentences.pop_front()
		if _sentences.size() == 0:
			_sentences = [""]
		_chars = 0.0


# The whole sentence that stands there, for the size of the bubble; empty where there is nothing to show.
func whole() -> String:
	return _sentences[0]


# Whether all of it has been shown that was said so far.
func is_shown() -> bool:
	return _chars >= _sentences[0].length()


func shown_chars() -> int:
	return int(_chars)
