"""Stage directions and emotion tags are split off, bold is spoken plain, and other asterisks and brackets stay."""

from __future__ import annotations

import pytest

from npc_sdk.decoding.emote import MAX_ACTION_CHARS
from npc_sdk.decoding.stream_parser import Emote, Item, Speech, StreamParser
from npc_sdk.decoding.tool_formats import tool_format
from npc_sdk.decoding.tool_formats.interface import ParsedCall

from .items import DIALECTS, check_every_split, parse, said

SMILES = Emote("smiles", "action")
HAPPY = Emote("happy", "emotion")

CASES: dict[str, tuple[str, list[Item]]] = {
    "action alone": ("*smiles*", [SMILES]),
    "action first": ("*smiles* Hello.", [SMILES, Speech("Hello.")]),
    "action between": ("Hello. *smiles* Come in.", [Speech("Hello."), SMILES, Speech(" Come in.")]),
    "action at the end": ("Hello. *smiles*", [Speech("Hello."), SMILES]),
    "action without blanks": ("Hello.*smiles*Come.", [Speech("Hello."), SMILES, Speech(" Come.")]),
    "action before a stop": ("Well *sighs*, yes.", [Speech("Well"), Emote("sighs", "action"), Speech(", yes.")]),
    "several words": ("*wipes the counter, slowly*", [Emote("wipes the counter, slowly", "action")]),
    "runs of blanks": ("*wipes  the counter *", [Emote("wipes the counter", "action")]),
    "two actions": ("*nods* *smiles*", [Emote("nods", "action"), SMILES]),
    "in other scripts": ("*微笑* 你好。", [Emote("微笑", "action"), Speech("你好。")]),
    "bold": ("I mean **now**, friend.", said("I mean now, friend.")),
    "bold and action": ("**No!** *leaves*", [Speech("No!"), Emote("leaves", "action")]),
    "bold in a word": ("un**believ**able", said("un believ able")),
    "a stressed word": ("That is *not* my sword.", said("That is not my sword.")),
    "a stressed word first": ("*You* did it!", said("You did it!")),
    "a stressed word, short form": ("I *don’t* sell it.", said("I don’t sell it.")),
    "sum": ("It is 2 * 3 coins.", said("It is 2 * 3 coins.")),
    "sum without blanks": ("2*3*4", said("2*3*4")),
    "footnote": ("Ten coins* and up.", said("Ten coins* and up.")),
    "list": ("* One\n* Two", said("* One\n* Two")),
    "unclosed at the end": ("Well *smiles", said("Well smiles")),
    "unclosed at the line's end": ("*smiles\nHello.", said("smiles\nHello.")),
    "asterisk at the end": ("Well *", said("Well")),
    "asterisks alone": ("****", []),
    "longest action": (f"*{'a' * MAX_ACTION_CHARS}*", [Emote("a" * MAX_ACTION_CHARS, "action")]),
    "too long for an action": (f"*{'a' * 90}* b", said("a" * 90 + "* b")),
    "heart in an action": ("*makes a <3* Hi", said("makes a <3* Hi")),
    "control token in an action": ("*nods extra_id_1* Hi", said("nods * Hi")),
    "emotion": ("[happy] Hello.", [HAPPY, Speech("Hello.")]),
    "emotion between": ("Oh. [happy] You!", [Speech("Oh."), HAPPY, Speech(" You!")]),
    "emotion of three words": ("[very softly now]", [Emote("very softly now", "emotion")]),
    "emotion with a hyphen": ("[half-asleep]", [Emote("half-asleep", "emotion")]),
    "emotion in blanks": ("[ happy ]", [HAPPY]),
    "emotion in Hindi": ("[खुश] हाँ", [Emote("खुश", "emotion"), Speech("हाँ")]),
    "four words": ("[a link to it]", said("[a link to it]")),
    "number": ("list[0] and [12]", said("list[0] and [12]")),
    "empty brackets": ("[] and [ ]", said("[] and [ ]")),
    "bracket unclosed": ("Look [there, at the", said("Look [there, at the")),
    "emotion cut off": ("Look [hap", said("Look [hap")),
    "long word": (f"[{'a' * 60}] b", said(f"[{'a' * 60}] b")),
    "ordinary signs": ("<3 { x } [1] a { b", said("<3 { x } [1] a { b")),
    "emotion torn by a marker": ("[hap<s>py]", said("[hap… py]")),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(("text", "items"), CASES.values(), ids=CASES)
def test_emotes_are_split_off_in_every_dialect(name: str, text: str, items: list[Item]) -> None:
    check_every_split(text, items, name)


def test_an_emote_after_a_call_stands_by_itself() -> None:
    call = '<toolcall> {"name": "stay_here", "arguments": {}} </toolcall>'
    assert parse(f"{call} *nods* Fine.") == [ParsedCall("stay_here", {}), Emote("nods", "action"), Speech("Fine.")]


def test_an_emote_goes_out_with_its_last_character() -> None:
    parser = StreamParser(tool_format("nemotron"))
    assert parser.feed("Hm. *nod") == [Speech("Hm.")]
    assert parser.feed("s*") == [Emote("nods", "action")]
    assert parser.feed(" [hap") == []
    assert parser.feed("py]") == [HAPPY]
