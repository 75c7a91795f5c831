# Pictures as a say takes them: [media_type, bytes], raw where the server takes that, else as PNG.
# Knows neither viewport nor server. Called by world_base.gd and core.gd.

const Platform = preload("platform.gd")
const Problem = preload("problem.gd")


static func pack(image: Image, is_raw: bool) -> Array:
	return ["image/x-rgb8", _raw(image)] if is_raw else ["image/png", image.save_png_to_buffer()]


# Why a server of these limits would not take the byte arrays; empty if nothing is wrong.
static func fault_of(images: Array, limits: Dictionary) -> Dictionary:
	if images.size() > limits["max_images"]:
		return Problem.make("too_large", "%d pictures; %d are allowed" % [images.size(), limits["max_images"]])
	for image in images:
		if not Platform.is_bytes(image) or image.size() == 0:
			return Problem.make("protocol", "a picture is no bytes", "world.picture() gives some where there is a window")
		if image.size() > limits["max_image_bytes"]:
			var sizes = [image.size(), limits["max_image_bytes"]]
			return Problem.make("too_large", "a picture has %d bytes; %d are allowed" % sizes)
	return {}


# Width, height and stride in 4 bytes each, then the rows, the top one first.
static func _raw(image: Image):
	var stream = StreamPeerBuffer.new()
	stream.big_endian = true
	stream.put_u32(image.get_width())
	stream.put_u32(image.get_height())
	stream.put_u32(image.get_width() * 3)
	stream.put_data(image.get_data())
	return stream.data_array
