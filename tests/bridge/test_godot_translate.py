"""GDScript of Godot 3 becomes GDScript of Godot 4: each rule on a piece of text."""

from __future__ import annotations

import pytest

from game_bridge.plugins.godot.translate import translate

_SIGNAL = 'npc.connect("greeted", self, "_on_greeted")'
_PICTURE_3 = "\tvar image = Image.new()\n\timage.create(2, 1, false, Image.FORMAT_RGB8)\n"
_PICTURE_4 = "\tvar image = Image.create(2, 1, false, Image.FORMAT_RGB8)\n"
_SORTED_3 = '[node name="Figures" type="YSort" parent="."]\n'
_SORTED_4 = '[node name="Figures" type="Node2D" parent="."]\ny_sort_enabled = true\n'
RULES = [
    pytest.param("var code = yield(run(1), 'completed')".replace("'", '"'), "var code = await run(1)", id="coroutine"),
    pytest.param('yield(get_tree(), "idle_frame")', "await get_tree().process_frame", id="frame"),
    pytest.param('yield(ask, "settled")', "await ask.settled", id="signal"),
    pytest.param('yield(f(yield(ask, "settled")), "completed")', "await f(await ask.settled)", id="yield in yield"),
    pytest.param("onready var world = $World", "@onready var world = $World", id="onready"),
    pytest.param("export var girth = 1.0", "@export var girth = 1.0", id="export"),
    pytest.param('export(String, "a", "b") var kind = "a"', '@export_enum("a", "b") var kind = "a"', id="choices"),
    pytest.param(_SIGNAL, 'npc.connect("greeted", Callable(self, "_on_greeted"))', id="connect"),
    pytest.param('npc.connect(a, self, "_on_" + a)', 'npc.connect(a, Callable(self, "_on_" + a))', id="name"),
    pytest.param('b.connect("x", self, "y", [1])', 'b.connect("x", Callable(self, "y").bind(1))', id="connect with"),
    pytest.param('t.disconnect("x", self, "y")', 't.disconnect("x", Callable(self, "y"))', id="disconnect"),
    pytest.param(_PICTURE_3, _PICTURE_4, id="new picture"),
    pytest.param("\timage.lock()\n\timage.unlock()\n\treturn\n", "\treturn\n", id="picture without locks"),
    pytest.param("-> PoolByteArray:", "-> PackedByteArray:", id="arrays"),
    pytest.param("PoolIntArray([1])", "PackedInt32Array([1])", id="arrays of integers"),
    pytest.param("PoolRealArray([1])", "PackedFloat32Array([1])", id="arrays of numbers"),
    pytest.param("typeof(x) == TYPE_REAL", "typeof(x) == TYPE_FLOAT", id="floats"),
    pytest.param("parse_json(text)", "JSON.parse_string(text)", id="from JSON"),
    pytest.param("to_json(entry)", "JSON.stringify(entry)", id="to JSON"),
    pytest.param('folder.plus_file("a")', 'folder.path_join("a")', id="paths"),
    pytest.param("a.linear_interpolate(b, 0.5)", "a.lerp(b, 0.5)", id="between"),
    pytest.param("brick.clip(wall)", "brick.intersection(wall)", id="overlap"),
    pytest.param("\tupdate()\n", "\tqueue_redraw()\n", id="draw again"),
    pytest.param("\t_thing.update()\n", "\t_thing.queue_redraw()\n", id="draw another again"),
    pytest.param(
        'p.add_stylebox_override("panel", s)', 'p.add_theme_stylebox_override("panel", s)', id="a control's look"
    ),
    pytest.param('"font_color_shadow"', '"font_shadow_color"', id="shadow"),
    pytest.param("l.align = Label.ALIGN_CENTER", "l.horizontal_alignment = HORIZONTAL_ALIGNMENT_CENTER", id="centred"),
    pytest.param("l.autowrap = true", "l.autowrap_mode = TextServer.AUTOWRAP_WORD_SMART", id="broken into lines"),
    pytest.param("box.rect_position.y = 1", "box.position.y = 1", id="place"),
    pytest.param("box.rect_size = SIZE", "box.size = SIZE", id="size"),
    pytest.param("slot.hint_tooltip = item", "slot.tooltip_text = item", id="tooltip"),
    pytest.param("line.caret_position = 3", "line.caret_column = 3", id="caret"),
    pytest.param("event.scancode == KEY_Y", "event.keycode == KEY_Y", id="key"),
    pytest.param("say(event.shift)", "say(event.shift_pressed)", id="shift"),
    pytest.param("get_tree().set_input_as_handled()", "get_viewport().set_input_as_handled()", id="key is taken"),
    pytest.param("Engine.target_fps = 60", "Engine.max_fps = 60", id="pace"),
    pytest.param("OS.get_ticks_msec()", "Time.get_ticks_msec()", id="clock"),
    pytest.param(_SORTED_3, _SORTED_4, id="sorted by feet"),
    pytest.param("; a game\nconfig_version=4\n", "; a game\nconfig_version=5\n", id="project file"),
]


@pytest.mark.parametrize(("of_3", "of_4"), RULES)
def test_each_difference_is_written_as_godot_4_writes_it(of_3: str, of_4: str) -> None:
    assert translate(of_3) == of_4


@pytest.mark.parametrize(("of_3", "of_4"), RULES)
def test_what_godot_4_wrote_is_left_alone(of_3: str, of_4: str) -> None:
    assert translate(of_4) == of_4, of_3


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("func update_all():\n\tupdate_all()\n", id="a method that begins alike"),
        pytest.param("my_rect_size = 3", id="a name that ends alike"),
        pytest.param('_npc.connect_to_host("127.0.0.1", 5577)', id="not a signal"),
        pytest.param("\tvar values = dictionary.values()\n", id="nothing to do"),
        pytest.param('[node name="Npc" type="Node" parent="."]', id="another node"),
    ],
)
def test_what_both_write_alike_stays(text: str) -> None:
    assert translate(text) == text


def test_a_bracket_that_is_open_is_told_with_its_place() -> None:
    with pytest.raises(ValueError, match="get_tree"):
        translate('yield(get_tree(), "idle_frame"')
