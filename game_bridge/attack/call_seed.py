"""What a model might write when it goes wrong, or was talked into it: `<toolcall>` blocks of every broken kind.

One in four is sound, so that a gate that lets nothing through is seen as well. Knows the tools, no session.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from game_bridge.attack.mutation import mutated

ITEMS = ("rope", "lamp", "sword", "map", "ale", "key of the north tower")
_NAMES = (
    "gіve_item", "GIVE_ITEM", "give_item\u200b", "ｇive_item", "give item", " give_item ", "fly", "arrest", "Fly",
    "brom.arrest", "give_item;arrest", "__class__", "constructor", "", "\0", "tool" * 500, "take_coins\n", "éval",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 51, 49, 50.5, 2**31, 2**63, 10**30, -(10**30), 1e308, "", "1", "ROPE", "rope ",
    "r\u200bope", "a" * 100_000, [], {}, ["rope"], {"item": "rope"}, [[[[[[]]]]]], "</toolcall>", "{{ player }}",
    "rope\0", "wave",
)  # fmt: skip
_LITERALS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "0x10",
    "01",
    "-0",
    "1.",
    "+1",
    "1e1",
    "9" * 5_000,
    "undefined",
    "'x'",
)
_WRAPPERS = (
    "<tool_call>{}</tool_call>", "[TOOL_CALLS] [{}]", "<|python_tag|>{}", "```json\n{}\n```", "{}", "<toolcall> {}",
    "<toolcall><toolcall> {} </toolcall></toolcall>", "<TOOLCALL> {} </TOOLCALL>", "<tool\u200bcall> {} </toolcall>",
    "<toolcall> [{0}, {0}] </toolcall>", "<toolcall> {0}{0}{0} </toolcall>", "＜toolcall＞ {} ＜/toolcall＞",
    "</toolcall> {} <toolcall>", "<toolcall> {} </toolcall> </toolcall>", "<function=give_item>{}</function>",
    "<toolcall> sure: {} ok </toolcall>", "<toolcall> <toolcall>", "<toolcall></toolcall>",
    "<toolcall> {{{}}} </toolcall>",
)  # fmt: skip

Arguments = dict[str, Any]


class CallMaker:
    """holds is what the state says that the NPC has. Mutates: sound counts the blocks that nothing is wrong with."""

    def __init__(self) -> None:
        self.holds: tuple[str, ...] = ITEMS
        self.sound = 0

    def make(self, rng: random.Random) -> str:
        """A reply with a block in it."""
        if rng.random() < 0.25:
            self.sound += 1
            return f"Well. {_wrapped(self._sound(rng))}"
        text = rng.choice(_KINDS)(rng, *self._sound(rng))
        if rng.random() < 0.2:
            text = mutated(rng, text.encode(), [b"<toolcall>", b'{"name": "fly"}']).decode(errors="replace")
        return f"{rng.choice(('', 'Well. ', '*nods* '))}{text}{rng.choice(('', ' There.', text))}"

    def _sound(self, rng: random.Random) -> tuple[str, Arguments]:
        calls: tuple[tuple[str, Arguments], ...] = (
            ("give_item", {"item": rng.choice(self.holds)}),
            ("take_coins", {"coins": rng.randint(1, 50)}),
            ("set_price", {"item": rng.choice(("rope", "lamp")), "price": rng.randint(1, 190) / 2}),
            ("wave", {"to": rng.choice(("Robin", "the crowd")), "moods": ["glad", "shy"][: rng.randint(0, 2)]}),
        )
        return rng.choice(calls)


def _wrapped(call: tuple[str, Arguments]) -> str:
    return f"<toolcall> {_json(*call)} </toolcall>"


def _json(name: str, arguments: Any) -> str:
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


def _wrong_name(rng: random.Random, _name: str, arguments: Arguments) -> str:
    return _wrapped((rng.choice(_NAMES), arguments))


def _wrong_value(rng: random.Random, name: str, arguments: Arguments) -> str:
    return _wrapped((name, {**arguments, rng.choice(list(arguments)): rng.choice(_VALUES)}))


def _wrong_item(rng: random.Random, _name: str, _arguments: Arguments) -> str:
    """Of all that there is, which the NPC may hold or not at this moment."""
    return _wrapped(("give_item", {"item": rng.choice(ITEMS)}))


def _more_or_less(rng: random.Random, name: str, arguments: Arguments) -> str:
    if rng.random() < 0.5:
        return _wrapped((name, dict(list(arguments.items())[1:])))
    more = {
        rng.choice(("to", "price", "force", "", "item\u200b")): rng.choice(_VALUES) for _ in range(rng.choice((1, 3)))
    }
    return _wrapped((name, {**more, **arguments}))


def _wrong_number(rng: random.Random, _name: str, _arguments: Arguments) -> str:
    name, place = rng.choice((("take_coins", "coins"), ("set_price", "price")))
    number = rng.choice(_LITERALS)
    return f'<toolcall> {{"name": "{name}", "arguments": {{"item": "rope", "{place}": {number}}}}} </toolcall>'


def _twice(rng: random.Random, name: str, arguments: Arguments) -> str:
    """A key given twice, of which readers take the first or the last."""
    inner = json.dumps(arguments)
    return rng.choice(
        (
            f'<toolcall> {{"name": "{name}", "name": "arrest", "arguments": {inner}}} </toolcall>',
            f'<toolcall> {{"name": "{name}", "arguments": {inner}, "arguments": {{}}}} </toolcall>',
            f'<toolcall> {{"name": "{name}", "arguments": {inner}, "parameters": {{"coins": 99}}}} </toolcall>',
            '<toolcall> {"name": "take_coins", "arguments": {"coins": 1, "coins": 5000}} </toolcall>',
        )
    )


def _deep(rng: random.Random, name: str, _arguments: Arguments) -> str:
    depth = rng.choice((13, 200, 5_000, 100_000))
    opening, closing = rng.choice((("[", "]"), ('{"item":', "}")))
    return f'<toolcall> {{"name": "{name}", "arguments": {{"item": {opening * depth}1{closing * depth}}}}} </toolcall>'


def _misshapen(rng: random.Random, name: str, arguments: Arguments) -> str:
    text = json.dumps(arguments)
    shapes: tuple[Any, ...] = (
        {"name": {"name": name}, "arguments": arguments},
        {"name": name, "arguments": text},
        {"name": name, "arguments": json.dumps(text)},
        {"name": name, "arguments": [arguments]},
        {"name": name, **arguments},
        {"function": {"name": name, "arguments": arguments}},
        {"name": "arrest", "arguments": {"who": "Robin"}, "id": 7},
        [name, arguments],
        [{"name": name, "arguments": arguments}] * 50,
        {name: arguments},
        name,
        7,
    )
    return f"<toolcall> {json.dumps(rng.choice(shapes))} </toolcall>"


def _foreign(rng: random.Random, name: str, arguments: Arguments) -> str:
    body = _json(rng.choice((name, "arrest")), arguments)
    return rng.choice(_WRAPPERS).format(body)


def _huge(rng: random.Random, name: str, arguments: Arguments) -> str:
    size = rng.choice((1_000, 20_000))
    return _wrapped((name, {**arguments, **{f"k{index}": index for index in range(size)}}))


def _broken(rng: random.Random, name: str, arguments: Arguments) -> str:
    body = mutated(rng, _json(name, arguments).encode(), [_json("arrest", {"who": "Robin"}).encode()])
    return f"<toolcall> {body.decode(errors='replace')} </toolcall>"


_KINDS: tuple[Callable[[random.Random, str, Arguments], str], ...] = (
    _wrong_name, _wrong_value, _wrong_value, _wrong_item, _more_or_less, _wrong_number, _twice, _deep, _misshapen,
    _foreign, _broken, _broken, _broken, _huge,
)  # fmt: skip
