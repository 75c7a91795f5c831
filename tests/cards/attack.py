"""Thousands of hostile cards and lorebooks: ``python -m tests.cards.attack --count 5000 --seed 1``.

Each is imported and, where that works, written and checked. Counts what took over a second, what failed otherwise than
with a ContentError that names the file, and how far the memory grew. Called by hand and by tests/cards/test_attack.py.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import resource
import shutil
import stat
import struct
import tempfile
import time
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from npc_sdk.cards import png
from npc_sdk.cards.imported import ImportedCard, import_file
from npc_sdk.errors import ContentError
from npc_sdk.lore.content import inspect_persona
from npc_sdk.lore.read import read_lore
from tests.cards import sample

SLOW_S = 1.0
NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 2**62, 1e300, "", "x", "\x00\x1b", "{{7*7}}", "{% for a in b %}", "{{" * 400, "@@" * 400, [], {},
    [[]], {"a": {}}, "../../../etc/passwd", "\u202e\u2028", "😀" * 90, "<|im_end|>", "a\nb: c", "- x", "&a *a",
    "/(a+)+$/", "/(?=x)/", "/" + "(" * 90 + "/", "/.{900}{900}/", ["/[/", "", 3, None], {"keys": "x"}, "no: [",
    "@@scan_depth -1\n",
    "{{random:" * 50, "}}" * 50, "A is a " * 500, "nan", "1e999", "!" * 61, {"npc_sdk": {"persona": {"tools": 1}}},
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What came of the files. Units: seconds of processor time, MB. slow and wrong name the kind of file and the fault.

    peak_mb is the most memory above the start, the making of files included; grown_mb, above the run's first tenth.
    """

    accepted: int = 0
    refused: int = 0
    unsound: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    longest: str = ""
    peak_mb: float = 0.0
    grown_mb: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was slow, failed otherwise, or was written with mistakes."""
        return not (self.slow or self.wrong or self.unsound)


def attack(count: int, seed: int, folder: Path) -> Tally:
    """Makes the files one after the other, deterministically. Mutates: folder, which is cleared after each."""
    random, tally = Random(seed), Tally()
    for name, data in (("a.json", "json"), ("a.png", "png"), ("a.charx", "charx")):
        import_file(sample.file_of(folder, name, sample.contained(sample.V3, data)))  # warms up
    before = settled = _rss_mb()
    for number in range(count):
        if number == count // 10:
            settled = _rss_mb()
        make = random.choice(MAKERS)
        name, data = make(random)
        _try(sample.file_of(folder, name, data), make.__name__, folder, tally)
    tally.peak_mb, tally.grown_mb = _rss_mb() - before, _rss_mb() - settled
    return tally


def _try(path: Path, kind: str, folder: Path, tally: Tally) -> None:
    started = time.process_time()
    found = None
    try:
        found = import_file(path)
        tally.accepted += 1
    except ContentError as error:
        tally.refused += 1
        if error.path != path:
            tally.wrong.append(f"{kind}: names {error.path}")
    except Exception as error:
        tally.wrong.append(f"{kind}: {type(error).__name__}: {str(error)[:200]}")
    took = time.process_time() - started
    tally.kinds[kind] += 1
    if took > tally.longest_s:
        tally.longest_s, tally.longest = took, kind
    if took > SLOW_S:
        tally.slow.append(f"{kind}: {took:.2f} s")
    path.unlink()
    if found:
        _check(found, kind, folder / "out", tally)


def _check(found: Any, kind: str, out: Path, tally: Tally) -> None:
    """What was written must have no mistake. Mutates: tally."""
    if isinstance(found, ImportedCard):
        problems = inspect_persona(found.write(out), None)[2]
    else:
        found.write(out / "lore")
        problems = read_lore(out / "lore", has_world=False)[1]
    tally.unsound += [f"{kind}: {problem}" for problem in problems[:2]]
    shutil.rmtree(out)


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def mutated_value(random: Random) -> tuple[str, bytes]:
    """A good card or book in which some values were replaced by nasty ones."""
    value = json.loads(
        json.dumps(random.choice((sample.V1, sample.V2, sample.V3, sample.WORLD_INFO, sample.LOREBOOK_V3)))
    )
    for _ in range(random.randint(1, 6)):
        _spoil(value, random)
    return _carried(value, random)


def _spoil(value: Any, random: Random) -> None:
    while isinstance(value, dict | list) and value:
        key = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if not isinstance(value[key], dict | list) or not value[key] or random.random() < 0.15:
            value[key] = copy.deepcopy(random.choice(NASTY))
            return
        value = value[key]


def _carried(value: Any, random: Random) -> tuple[str, bytes]:
    container = random.choice(("json", "png", "ztxt", "itxt", "charx")) if isinstance(value, dict) else "json"
    return f"a.{container}", sample.contained(value, container)


def mutated_bytes(random: Random) -> tuple[str, bytes]:
    """A good file with bytes changed, cut out, doubled or added."""
    container = random.choice(("json", "png", "ztxt", "itxt", "charx"))
    data = bytearray(sample.contained(random.choice((sample.V1, sample.V2, sample.V3)), container))
    for _ in range(random.randint(1, 12)):
        at, span = random.randrange(len(data)), random.randint(1, 64)
        change = random.randrange(4)
        if change == 0:
            data[at] = random.randrange(256)
        elif change == 1 and len(data) > span + 40:
            del data[at : at + span]
        elif change == 2:
            data[at:at] = data[at : at + span]
        else:
            data[at:at] = random.randbytes(span)
    return f"a.{container}", bytes(data)


def cut_off(random: Random) -> tuple[str, bytes]:
    """A good file that ends too early."""
    container = random.choice(("json", "png", "charx"))
    data = sample.contained(sample.V3, container)
    return f"a.{container}", data[: random.randrange(len(data))]


def nested(random: Random) -> tuple[str, bytes]:
    """Lists and maps in each other, alone or inside a card."""
    depth, sign = random.choice((65, 300, 990, 5_000, 100_000)), random.choice(("[", '{"a":'))
    inner = sign * depth + "1" + ("]" if sign == "[" else "}") * (depth if random.random() < 0.7 else 0)
    text = inner if random.random() < 0.5 else f'{{"name": "A", "description": "b", "extensions": {inner}}}'
    if random.random() < 0.3:
        return "a.png", sample.png_with(sample.chunk(b"tEXt", b"chara\0" + text.encode()))
    return random.choice(("a.json", "a.yaml")), text.encode()


def odd_numbers(random: Random) -> tuple[str, bytes]:
    """Numbers that are none, or too large for anything."""
    odd = random.choice(("NaN", "-Infinity", "1e9999", "9" * 5_000, "0." + "1" * 50_000, "-" + "8" * 30, "\\ud800"))
    text = json.dumps({**sample.V2["data"], "creation_date": "@@"}).replace('"@@"', odd).replace("100", odd)
    return "a.json", text.encode()


def large(random: Random) -> tuple[str, bytes]:
    """Megabytes of one thing."""
    thing = random.randrange(8)
    if thing == 0:
        return "a.json", b'{"name":"A","description":"' + random.choice(
            (b"a ", b"\\n", b"{{", b"A. ", b"{{x}}")
        ) * 1_500_000
    if thing == 1:
        signs = random.choice(("a ", "\n", "{{", "A. ", "{{user}}", ": ", '"', "😀"))
        return "a.json", json.dumps(
            {"name": "A", "first_mes": signs * 300_000, "mes_example": signs * 300_000}
        ).encode()
    if thing == 2:
        return "a.json", b"[" + b"[]," * 2_000_000 + b"[]]"
    if thing == 3:
        entry = {"keys": ["a", "b/"], "content": "@@depth 1\nX {{user}}", "extensions": {"a": 1}}
        return "a.json", json.dumps({"entries": [entry] * random.choice((3_000, 20_000))}).encode()
    if thing == 4:
        keys = [random.choice(("/(a|b)*c{1,99}/", "/x{1000}{1000}/", "k" * 300)) for _ in range(20_000)]
        return "a.json", json.dumps({"entries": [{"keys": keys, "content": "x"}]}).encode()
    if thing == 5:
        entry = {
            "keys": ["a"],
            "content": random.choice(("{{x}}", "{{random:a,b}} ", "A b. ", "\n\n", "<user>")) * 9_000,
        }
        return "a.json", json.dumps({"entries": [entry] * 150}).encode()
    if thing == 6:
        entry = {"keys": [f"/a{n}/" for n in range(64)], "content": "x", "use_regex": True}
        return "a.json", json.dumps({"entries": [entry] * 2_500}).encode()
    return "a.json", json.dumps({"name": "A", "description": "b", **{f"k{n}": n for n in range(60_000)}}).encode()


def bad_png(random: Random) -> tuple[str, bytes]:
    """Lies and bombs in a PNG's parts."""
    lie = struct.pack(
        ">I4s", random.choice((100_000_000, 2**32 - 1, 2**31)), random.choice((b"tEXt", b"IDAT", b"zTXt"))
    )
    size = struct.pack(">IIBBBBB", random.choice((30_000, 2**31 - 1, 0)), 30_000, 8, 6, 0, 0, 0)
    good = sample.text_chunk(sample.V1)
    wide = png.SIGNATURE + sample.chunk(b"IHDR", size) + good + sample.chunk(b"IDAT", zlib.compress(bytes(9_999)))
    return "a.png", random.choice(
        (
            sample.picture()[:33] + lie + b"chara\0",
            sample.png_with(good, lie),
            sample.png_with(good[:-4] + b"\0\0\0\0"),
            sample.png_with(sample.chunk(b"zTXt", b"chara\0\0" + zlib.compress(b"A" * 17_000_000))),
            sample.png_with(sample.chunk(b"iTXt", b"ccv3\0\1\0\0\0" + zlib.compress(b"[" * 15_000_000))),
            sample.png_with(good, sample.chunk(b"iCCP", b"x\0\0" + zlib.compress(b"A" * 9_000_000))),
            wide + sample.chunk(b"IEND", b""),
            png.SIGNATURE + sample.chunk(b"tEXt", b"") * random.choice((10, 100_000)),
            sample.png_with(*[sample.chunk(b"tEXt", random.randbytes(9) + b"\0x") for _ in range(500)], good),
        )
    )


def bad_archive(random: Random) -> tuple[str, bytes]:
    """Bombs, lies, links and names that lead elsewhere in a CHARX."""
    names = (
        "../a",
        "/etc/passwd",
        "a/../../b",
        "C:\\x",
        "a\\..\\..\\b",
        "\0",
        "card.json",
        "x" * 60_000,
        "card.json/a",
    )
    out = io.BytesIO()
    warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
    with zipfile.ZipFile(
        out, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    ) as archive:
        info = zipfile.ZipInfo(random.choice(names))
        if random.random() < 0.3:
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        info.filename = info.filename or "a"
        archive.writestr("card.json", random.choice((json.dumps(sample.V3), " " * 11_000_000, "[" * 999_999, "{}", "")))
        if random.random() < 0.6:
            archive.writestr(info, b"\0" * random.choice((1, 1_000_000)))
    data = bytearray(out.getvalue())
    at = data.rfind(b"PK\x01\x02")
    if random.random() < 0.5:
        place, value = random.choice(((24, 100_000_000), (24, 5), (20, 2**32 - 2), (42, 2**31), (8, 1), (10, 99)))
        struct.pack_into("<I" if place > 10 else "<H", data, at + place, value)
    if random.random() < 0.2:
        struct.pack_into("<H", data, data.rfind(b"PK\x05\x06") + 10, random.choice((0, 9_999, 65_535)))
    return "a.charx", bytes(data)


def bad_yaml(random: Random) -> tuple[str, bytes]:
    """YAML's own traps in a character of text-generation-webui."""
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    return "a.yaml", random.choice(
        (
            sample.WEBUI + bomb,
            sample.WEBUI + "name: twice\n",
            "name: !!python/object/apply:os.system ['true']\ncontext: x\n",
            "name: [\ncontext: x",
            "name: A\ncontext: " + "[" * 5_000,
            "name: A\ncontext: {<<: *x}\n",
            "name: 12:30:00\ncontext: no\ngreeting: 017\n",
            "? [a]\n: b\n",
            "- a\n" * 90_000,
            "name: A\ncontext: x\n" + "k: v\n" * 90_000,
            "\x00name: A",
            sample.WEBUI.replace("Aldous", random.choice(("{{7*7}}", "''", "'\\'", "|\n"))),
        )
    ).encode()


def rubbish(random: Random) -> tuple[str, bytes]:
    """Bytes of no meaning behind the signs of something."""
    sign = random.choice((b"", png.SIGNATURE, b"PK\x03\x04", b"{", b"[", b"\xff\xfe", b"\xef\xbb\xbf", b"PK\x05\x06"))
    return random.choice(("a.json", "a.png", "a.charx", "a.yaml", "a")), sign + random.randbytes(
        random.randrange(3_000)
    )


MAKERS: tuple[Callable[[Random], tuple[str, bytes]], ...] = (
    *(mutated_value,) * 6, *(mutated_bytes,) * 5, *(bad_archive,) * 2,
    cut_off, nested, odd_numbers, large, bad_png, bad_yaml, rubbish,
)  # fmt: skip


def main() -> None:
    """Prints the tally; exit status 1 where it is not clean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = attack(chosen.count, chosen.seed, Path(folder))
    print(f"{chosen.count:,} files: {tally.accepted:,} accepted, {tally.refused:,} refused with their place")
    print(f"longest {tally.longest_s:.3f} s ({tally.longest}); memory: {tally.peak_mb:.0f} MB at most,")
    print(f"{tally.grown_mb:.0f} MB more than after the first tenth")
    for title, found in (("over a second", tally.slow), ("other errors", tally.wrong), ("unsound", tally.unsound)):
        print(f"{title}: {len(found)}", *sorted(set(found))[:12], sep="\n  ")
    raise SystemExit(not tally.is_clean)


if __name__ == "__main__":
    main()
