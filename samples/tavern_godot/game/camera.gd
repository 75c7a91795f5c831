# What the player shows an NPC: a picture of the window, or a plan of the room where nothing is drawn (headless).
# Knows the world node's screenshot and where figures stand. Called by tavern.gd.

const Spots = preload("spots.gd")

const SCALE = 0.1


static func picture(world: Node, viewport: Viewport, figures: Array) -> PoolByteArray:
	var bytes = world.screenshot(viewport, 960)
	return bytes if bytes.size() > 0 else _plan(figures)


static func _plan(figures: Array) -> PoolByteArray:
	var image = Image.new()
	image.create(192, 108, false, Image.FORMAT_RGB8)
	image.fill(Color(0.4, 0.28, 0.18))
	for block in Spots.BLOCKS:
		_paint(image, Rect2(block.position * SCALE, block.size * SCALE), Color(0.25, 0.16, 0.1))
	for figure in figures:
		_paint(image, Rect2(figure.position * SCALE - Vector2(3, 12), Vector2(6, 12)), figure.coat)
	return image.save_png_to_buffer()


static func _paint(image: Image, box: Rect2, colour: Color) -> void:
	var patch = Image.new()
	patch.create(int(box.size.x), int(box.size.y), false, Image.FORMAT_RGB8)
	patch.fill(colour)
	image.blit_rect(patch, Rect2(Vector2.ZERO, patch.get_size()), box.position)
