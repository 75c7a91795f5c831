"""What carries a card is read within its bounds: JSON, PNG chunks, CHARX archives. Every refusal says where."""

from __future__ import annotations

import base64
import io
import json
import stat
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from npc_sdk.cards import charx, json_reader, png
from npc_sdk.cards.imported import ImportedCard, import_file
from npc_sdk.cards.json_reader import read_json
from npc_sdk.cards.portrait import MAX_SIDE, plain_picture, portrait
from npc_sdk.cards.source import open_source
from npc_sdk.errors import ContentError
from tests.cards import sample
from tests.cards.sample import chunk, file_of, png_with, text_chunk

CARD = {"name": "A", "description": "b"}
CODED = base64.b64encode(json.dumps(CARD).encode())


def zipped(*members: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings(action="ignore"):
        for name, data in (("card.json", json.dumps(CARD).encode()), *members):
            archive.writestr(name, data)
    return out.getvalue()


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("icon.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def encrypted() -> bytes:
    data = bytearray(zipped())
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1
    return bytes(data)


def declared(size: int) -> bytes:
    """An archive whose directory says that card.json unpacks to so many bytes."""
    data = bytearray(zipped())
    struct.pack_into("<I", data, data.rfind(b"PK\x01\x02") + 24, size)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(b'{"a": }', r"not valid JSON: expecting value", id="syntax"),
        pytest.param(b"{'a': 1}", r"not valid JSON", id="quotes"),
        pytest.param(b'{"a": "\xff"}', r"is not UTF-8", id="encoding"),
        pytest.param(b"[" * 100 + b"]" * 100, "nested deeper than 64", id="deep"),
        pytest.param(b"[" * 200_000, "nested deeper than 64", id="deepest"),
        pytest.param(b'{"a":' * 3000 + b"1" + b"}" * 3000, "nested deeper than 64", id="deep maps"),
        pytest.param(b"[" + b"1," * json_reader.MAX_VALUES + b"1]", "too many values", id="many"),
        pytest.param(b" " * (json_reader.MAX_BYTES + 1), "more than 10,000,000 bytes", id="large"),
        pytest.param(b"", "not valid JSON", id="empty"),
    ],
)
def test_json_is_refused_with_its_place(tmp_path: Path, data: bytes, told: str) -> None:
    path = file_of(tmp_path, "a.json", data)
    with pytest.raises(ContentError, match=told) as caught:
        open_source(path)
    assert caught.value.path == path


def test_a_mistake_in_json_names_line_and_column(tmp_path: Path) -> None:
    with pytest.raises(ContentError) as caught:
        open_source(file_of(tmp_path, "a.json", '{\n "a": 1,\n "b" 2\n}'))
    assert (caught.value.line, caught.value.column) == (3, 6)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("NaN", None, id="NaN"),
        pytest.param("-Infinity", None, id="infinity"),
        pytest.param("1e999", None, id="float"),
        pytest.param("9" * 5000, None, id="whole"),
        pytest.param("0." + "3" * 5000, None, id="digits"),
        pytest.param('"\\ud800x"', "\ufffdx", id="surrogate"),
        pytest.param('"\\ud83d\\ude00"', "😀", id="pair"),
        pytest.param(str(2**62), 2**62, id="large"),
    ],
)
def test_what_json_should_not_hold_is_noted(text: str, value: Any) -> None:
    found = read_json(f'{{"a": {text}}}'.encode(), Path("a.json"))
    assert found.value == {"a": value}
    assert bool(found.notes) == (value in (None, "\ufffdx"))


def test_a_key_given_twice_is_noted() -> None:
    found = read_json(b'{"a": 1, "a": 2}', Path("a.json"))
    assert (found.value, len(found.notes)) == ({"a": 2}, 1)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(sample.picture(), "carries no card", id="no card"),
        pytest.param(png_with(chunk(b"tEXt", b"chara\0" + CODED, 1)), "checksum of the text", id="crc"),
        pytest.param(png_with(text_chunk(CARD))[:-20], "ends in the middle|file is shorter", id="cut off"),
        pytest.param(png_with(chunk(b"tEXt", b"chara\0!!!")), "not base64", id="base64"),
        pytest.param(png_with(chunk(b"zTXt", b"chara\0\0nonsense")), "cannot be unpacked", id="zlib"),
        pytest.param(
            png_with(chunk(b"zTXt", b"chara\0\0" + zlib.compress(b"A" * (png.MAX_TEXT_BYTES + 9)))),
            "unpacks to more",
            id="bomb",
        ),
        pytest.param(
            sample.picture()[:33] + struct.pack(">I4s", 100_000_000, b"tEXt") + b"chara\0",
            "100,000,000 bytes",
            id="lie",
        ),
        pytest.param(png.SIGNATURE + chunk(b"abCD", b"") * 20_001, "more than 20,000 parts", id="many parts"),
        pytest.param(png.SIGNATURE, "ends in the middle", id="signature alone"),
        pytest.param(
            png_with(chunk(b"tEXt", b"chara\0" + base64.b64encode(b"[" * 99_999))), "nested", id="deep inside"
        ),
    ],
)
def test_a_png_is_refused_with_its_place(tmp_path: Path, data: bytes, told: str) -> None:
    path = file_of(tmp_path, "a.png", data)
    with pytest.raises(ContentError, match=told) as caught:
        open_source(path)
    assert caught.value.path == path


def test_ccv3_goes_before_chara(tmp_path: Path) -> None:
    data = png_with(text_chunk({"name": "two"}), text_chunk({"name": "three"}, b"ccv3"), text_chunk({}, b"ccv3"))
    found = open_source(file_of(tmp_path, "a.png", data))
    assert found.value == {"name": "three"}
    assert [note.split(";")[0] for note in found.notes] == ["a second text 'ccv3'", "both a 'ccv3' and a 'chara' text"]


def test_a_card_that_is_not_coded_is_read(tmp_path: Path) -> None:
    data = png_with(chunk(b"tEXt", b"chara\0" + json.dumps(CARD).encode()))
    assert open_source(file_of(tmp_path, "a.png", data)).value == CARD


def test_nothing_but_pixels_of_the_picture_goes_on(tmp_path: Path) -> None:
    data = png_with(text_chunk(sample.V1), chunk(b"tEXt", b"note\0secret words"), chunk(b"eXIf", b"MM\0*secret words"))
    found = import_file(file_of(tmp_path, "a.png", data))
    assert isinstance(found, ImportedCard)
    assert found.portrait is not None
    assert b"secret" not in found.portrait
    assert b"tEXt" not in found.portrait


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(zipped(("../../evil.txt", b"x")), "leads out of the archive", id="traversal"),
        pytest.param(zipped(("/etc/passwd", b"x")), "leads out of the archive", id="absolute"),
        pytest.param(zipped(("a\\..\\b", b"x")), "leads out of the archive", id="backslash"),
        pytest.param(zipped(("C:/b", b"x")), "leads out of the archive", id="drive"),
        pytest.param(zipped((link(), b"/etc/passwd")), "is a link", id="link"),
        pytest.param(zipped(("card.json", b"{}")), "this name twice", id="two cards"),
        pytest.param(zipped(("a", b"x"), method=zipfile.ZIP_LZMA), "unusual way", id="lzma"),
        pytest.param(encrypted(), "is encrypted", id="encrypted"),
        pytest.param(declared(100_000_000), "unpacks to 100,000,000 bytes", id="declared size"),
        pytest.param(zipped()[:-30], "not a zip file", id="cut off"),
        pytest.param(b"PK\x03\x04" + b"\0" * 200, "not a zip file", id="no directory"),
        pytest.param(b"PK\x05\x06" + b"\0" * 18, "no card.json", id="nothing in it"),
        pytest.param(zipped(*((f"f{n}", b"") for n in range(10_001))), "10,00[0-9] files|lists", id="many files"),
    ],
)
def test_an_archive_is_refused_with_its_place(tmp_path: Path, data: bytes, told: str) -> None:
    path = file_of(tmp_path, "a.charx", data)
    with pytest.raises(ContentError, match=told) as caught:
        open_source(path)
    assert caught.value.path == path


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", b" " * (charx.MAX_CARD_BYTES + 1000))
    data = bytearray(out.getvalue())
    for sign, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", data, data.rfind(sign) + offset, 5)
    with pytest.raises(ContentError, match="unpack"):
        open_source(file_of(tmp_path, "a.charx", bytes(data)))


def test_the_main_icon_of_an_archive_becomes_the_portrait(tmp_path: Path) -> None:
    assets = [
        {"type": "icon", "uri": "embeded://assets/icon/other.png", "name": "other", "ext": "png"},
        {"type": "icon", "uri": "embeded://assets/icon/main.png", "name": "main", "ext": "png"},
    ]
    card = {**sample.V3, "data": {**sample.V3["data"], "assets": assets}}
    files = {"assets/icon/main.png": sample.picture(10, 20), "assets/icon/other.png": b"no picture"}
    found = import_file(file_of(tmp_path, "a.charx", sample.charx(card, files)))
    assert isinstance(found, ImportedCard)
    assert found.portrait is not None
    assert Image.open(io.BytesIO(found.portrait)).size == (10, 20)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff\xd8\xff\xe0", "a JPEG picture"),
        (b"GIF89a", "a GIF picture"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b\x08", "a gzip archive"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(ContentError, match=told):
        open_source(file_of(tmp_path, "a.png", data))


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="does not exist"):
        open_source(tmp_path / "a.json")
    with pytest.raises(ContentError, match="not a plain file"):
        open_source(tmp_path)


def test_a_large_picture_is_made_smaller() -> None:
    found = portrait(sample.picture(2000, 1000))
    assert found.png is not None
    assert Image.open(io.BytesIO(found.png)).size == (MAX_SIDE, MAX_SIDE // 2)
    assert "2000 x 1000" in found.note


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(sample.picture(4000, 3000), "12|pixels", id="too many pixels"),
        pytest.param(sample.picture()[:60], "cannot be read", id="cut off"),
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(b"<svg/>", "cannot be read", id="svg"),
    ],
)
def test_a_picture_that_cannot_be_used_is_told(data: bytes, told: str) -> None:
    found = portrait(data)
    assert found.png is None
    assert told.split("|")[-1] in found.note


def test_a_plain_picture_is_the_same_each_time() -> None:
    assert plain_picture("Ann") == plain_picture("Ann")
    assert plain_picture("Ann") != plain_picture("Bob")
