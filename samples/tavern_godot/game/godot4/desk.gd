# Letters and the line to type in, which Godot 3 and Godot 4 treat differently: this is Godot 4's half.
# Knows nothing of the game. Called by whoever writes in the window.


# What all of the window's words are written with.
static func font() -> Font:
	return ThemeDB.fallback_font


static func width_of(letters: Font, text: String) -> float:
	return letters.get_string_size(text, HORIZONTAL_ALIGNMENT_LEFT, -1, ThemeDB.fallback_font_size).x


# From the left end of its base line.
static func write(canvas: CanvasItem, letters: Font, at: Vector2, text: String, ink: Color) -> void:
	canvas.draw_string(letters, at, text, HORIZONTAL_ALIGNMENT_LEFT, -1, ThemeDB.fallback_font_size, ink)


# Whatever is typed from now on goes there.
static func begin_typing(line: LineEdit) -> void:
	line.grab_focus()
	if line.has_method("edit"):  # since 4.3 the focus alone does not do it
		line.call("edit")
