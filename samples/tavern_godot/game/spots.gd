# Where things stand in the tavern, what cannot be walked through, and the way from one place to another.
# Knows no node. Called by figures, the stage and the room.

const FLOOR = Rect2(70, 275, 1790, 645)
const BLOCKS = [
	Rect2(1170, 395, 460, 95),  # the bar
	Rect2(225, 745, 210, 80),  # the tables
	Rect2(775, 645, 210, 80),
	Rect2(1395, 745, 210, 80),
	Rect2(1730, 560, 140, 90),  # the casks
]
const BAR_FRONT = Vector2(1400, 535)
const CELLAR_DOOR = Vector2(1750, 290)
const HEARTH = Vector2(520, 330)
const ENTRANCE = Vector2(150, 580)
const CELL = 40


# Whether somebody can stand there.
static func is_free(at: Vector2) -> bool:
	if not FLOOR.has_point(at):
		return false
	for block in BLOCKS:
		if block.has_point(at):
			return false
	return true


# The points to walk through, the goal last; straight there if it cannot be reached otherwise.
static func path(from: Vector2, to: Vector2) -> Array:
	var star = AStar2D.new()
	var ids = {}
	for x in range(int(FLOOR.position.x), int(FLOOR.end.x), CELL):
		for y in range(int(FLOOR.position.y), int(FLOOR.end.y), CELL):
			if is_free(Vector2(x, y)):
				ids[Vector2(x, y)] = ids.size()
				star.add_point(ids[Vector2(x, y)], Vector2(x, y))
	for at in ids:
		for step in [Vector2(CELL, 0), Vector2(0, CELL), Vector2(CELL, CELL), Vector2(CELL, -CELL)]:
			if ids.has(at + step) and is_free(at + step / 2):
				star.connect_points(ids[at], ids[at + step])
	var points = Array(star.get_point_path(star.get_closest_point(from), star.get_closest_point(to)))
	if points.size() > 1:
		points.pop_front()
		points.pop_back()
	return points + [to]


# A free place beside somebody, on the side of whoever comes, and not where others stand.
static func beside(whom: Vector2, from: Vector2, distance: float, others: Array = []) -> Vector2:
	var direction = (from - whom).normalized() if from != whom else Vector2.LEFT
	for turn in [0, 4, 1, -1, 3, -3, 2, -2]:
		var spot = whom + direction.rotated(turn * PI / 4) * distance
		var is_taken = false
		for other in others:
			is_taken = is_taken or spot.distance_to(other) < distance
		if is_free(spot) and not is_taken:
			return spot
	return whom
