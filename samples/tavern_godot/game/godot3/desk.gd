# Letters and the line to type in, which Godot 3 and Godot 4 treat differently: this is Godot 3's half.
# Knows nothing of the game. Called by whoever writes in the window.


# What all of the window's words are written with.
static func font() -> Font:
	var label = Label.new()
	var found = label.get_font("font")
	label.free()
	return found


static func width_of(letters: Font, text: String) -> float:
	return letters.get_string_size(text).x


# From the left end of its base line.
static func write(canvas: CanvasItem, letters: Font, at: Vector2, text: String, ink: Color) -> void:
	canvas.draw_string(letters, at, text, ink)


# Whatever is typed from now on goes there.
static func begin_typing(line: LineEdit) -> void:
	line.grab_focus()
