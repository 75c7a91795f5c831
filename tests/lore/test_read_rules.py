"""The attributes of lore files, in Markdown and in YAML: the same names and rules, every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from npc_sdk.lore.entry import PLAIN, Book, LoreEntry, Rules, Scope
from npc_sdk.lore.read import read_lore
from npc_sdk.lore.schema import Attributes
from npc_sdk.persona.calendar import Calendar

CALENDAR = Calendar(months={"Thaw": 30, "Harvest": 30})

ATTRIBUTES = {  # as written in Markdown, as written in YAML, and what the rules say
    "secondary_keys": ("silver, coin", "[silver, coin]", {"secondary_keys": ("silver", "coin")}),
    "logic": ("not_all", "not_all", {"logic": "not_all"}),
    "excluded_keys": ("iron", "[iron]", {"excluded_keys": ("iron",)}),
    "match": ("plain", "plain", {"match": "plain"}),
    "case_sensitive": ("true", "true", {"is_case_sensitive": True}),
    "constant": ("true", "true", {"is_constant": True}),
    "essential": ("true", "true", {"is_essential": True}),
    "search": ("false", "false", {"is_searchable": False}),
    "enabled": ("false", "false", {"is_enabled": False}),
    "probability": ("12.5", "12.5", {"probability": 12.5}),
    "sticky": ("3", "3", {"sticky": 3}),
    "cooldown": ("4", "4", {"cooldown": 4}),
    "delay": ("5", "5", {"delay": 5}),
    "group": ("sky, day", "[sky, day]", {"groups": ("sky", "day")}),
    "group_weight": ("7", "7", {"group_weight": 7}),
    "group_first": ("true", "true", {"is_group_first": True}),
    "group_scored": ("true", "true", {"is_group_scored": True}),
    "exclude_recursion": ("true", "true", {"excludes_recursion": True}),
    "prevent_recursion": ("true", "true", {"prevents_recursion": True}),
    "delay_until_recursion": ("2", "2", {"delays_until_recursion": 2}),
    "scan_depth": ("9", "9", {"scan_depth": 9}),
    "order": ("-3", "-3", {"order": -3}),
    "priority": ("8", "8", {"priority": 8}),
    "ignore_budget": ("true", "true", {"ignores_budget": True}),
    "always": ("activate", "activate", {"always": "activate"}),
}
UNSEARCHED = ("secondary_keys", "excluded_keys", "always", "group", "probability", "delay_until_recursion")
SCOPES = {
    "npcs": ("ada, bob", "[ada, bob]", {"npc_ids": frozenset({"ada", "bob"})}),
    "factions": ("watch", "[watch]", {"factions": frozenset({"watch"})}),
    "places": ("forge", "[forge]", {"places": frozenset({"forge"})}),
    "since": ("2 Thaw 10", "2 Thaw 10", {"since": 601}),
    "until": ("10", "10", {"until": 659}),
    "when": ("quest == 'found'", "quest == 'found'", {"when": "quest == 'found'"}),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "world" / "lore"
    path.mkdir(parents=True)
    return path


def _read(folder: Path, name: str, text: str, owner: str | None = None) -> list[LoreEntry]:
    (folder / name).write_text(text, encoding="utf-8")
    entries, problems = read_lore(folder, owner, calendar=CALENDAR)
    assert [str(problem) for problem in problems] == []
    return entries


def _told(folder: Path, name: str, text: str, **options: object) -> list[str]:
    (folder / name).write_text(text, encoding="utf-8")
    _, problems = read_lore(folder, **{"calendar": CALENDAR, **options})  # type: ignore[arg-type]  # by their names
    return [str(problem).replace(f"{folder}/", "") for problem in problems]


def _expected(name: str) -> Rules:
    given = dict(ATTRIBUTES[name][2])
    return Rules(**{"is_searchable": name not in UNSEARCHED, **given})


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_says_the_same_everywhere(folder: Path, name: str) -> None:
    markdown, yaml, _ = ATTRIBUTES[name]
    written = {
        "a.md": f"## A\n{name}: {markdown}\nText.\n",
        "b.md": f"---\n{name}: {yaml}\n---\n## A\nText.\n",
        "c.yaml": f"entries:\n  - id: a\n    text: Text.\n    {name}: {yaml}\n",
        "d.yaml": f"{name}: {yaml}\nentries:\n  - id: a\n    text: Text.\n",
    }
    for file, text in written.items():
        for other in folder.iterdir():
            other.unlink()
        (entry,) = _read(folder, file, text)
        assert entry.rules == _expected(name), file


@pytest.mark.parametrize("name", SCOPES)
def test_a_scope_says_the_same_everywhere(folder: Path, name: str) -> None:
    markdown, yaml, scope = SCOPES[name]
    written = {
        "a.md": f"## A\n{name}: {markdown}\nText.\n",
        "b.md": f"---\n{name}: {yaml}\n---\n## A\nText.\n",
        "c.yaml": f"entries:\n  - id: a\n    text: Text.\n    {name}: {yaml}\n",
    }
    for file, text in written.items():
        for other in folder.iterdir():
            other.unlink()
        (entry,) = _read(folder, file, text)
        assert entry.scope == Scope(**scope), file


def test_every_attribute_is_tried_here() -> None:
    assert {*ATTRIBUTES, *SCOPES, "keys", "source"} == set(Attributes.model_fields)


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        pytest.param("gold, old mill", ("gold", "old mill"), id="words"),
        pytest.param("/gold, or (silver|iron)/i, mill", ("/gold, or (silver|iron)/i", "mill"), id="commas in a regex"),
        pytest.param(r"/a\/b, c/, d", (r"/a\/b, c/", "d"), id="a slash in a regex"),
        pytest.param("gold, , gold,", ("gold",), id="empty and double ones"),
        pytest.param("/etc, gold", ("/etc", "gold"), id="a slash that begins no regex"),
        pytest.param("and/or, gold", ("and/or", "gold"), id="a slash inside a word"),
        pytest.param("[tower, high tower]", ("tower", "high tower"), id="brackets"),
        pytest.param("\"tower\", 'keep', “hall”", ("tower", "keep", "hall"), id="quotes"),
        pytest.param("[ 'tower', /a[b;],c/ ]", ("tower", "/a[b;],c/"), id="both, and a regex"),
        pytest.param("Mara's forge, 'tis", ("Mara's forge", "'tis"), id="apostrophes"),
    ],
)
def test_keys_in_a_line(folder: Path, written: str, keys: tuple[str, ...]) -> None:
    (entry,) = _read(folder, "a.md", f"## A\nkeys: {written}\nText.\n")
    assert entry.keys == keys


def test_an_entry_says_otherwise_than_its_file(folder: Path) -> None:
    first, second = _read(
        folder,
        "a.md",
        "---\nkeys: [town]\nnpcs: [ada]\nsticky: 4\nconstant: true\n---\n"
        "## A\nkeys: x\nsticky: 0\nnpcs: bob\nOne.\n\n## B\nconstant: false\nTwo.\n",
    )
    assert (first.keys, first.scope.npc_ids, first.rules) == (("x", "town"), {"bob"}, Rules(is_constant=True))
    assert (second.keys, second.scope.npc_ids, second.rules) == (("town",), {"ada"}, Rules(sticky=4))


@pytest.mark.parametrize(
    ("written", "rules"),
    [
        pytest.param("group: sky", {"groups": ("sky",), "is_searchable": False}, id="one group"),
        pytest.param(
            "delay_until_recursion: true", {"delays_until_recursion": 1, "is_searchable": False}, id="true is step 1"
        ),
        pytest.param("delay_until_recursion: false", {}, id="false is none"),
        pytest.param("group: [sky]\n    search: true", {"groups": ("sky",)}, id="search asked for"),
        pytest.param("sticky: 0\n    order: 100", {}, id="what is so anyway"),
    ],
)
def test_short_forms(folder: Path, written: str, rules: dict[str, object]) -> None:
    (entry,) = _read(folder, "a.yaml", f"entries:\n  - id: a\n    text: Text.\n    {written}\n")
    assert entry.rules == Rules(**rules)  # type: ignore[arg-type]  # by their names


def test_entries_without_rules_share_one_value(folder: Path) -> None:
    assert all(entry.rules is PLAIN for entry in _read(folder, "a.md", "## A\nOne.\n\n## B\nkeys: b\nTwo.\n"))


def test_a_year_is_a_date_and_until_is_its_last_day(folder: Path) -> None:
    (entry,) = _read(folder, "a.yaml", "since: 10\nentries:\n  - {id: a, text: T., until: 11}\n")
    assert (entry.scope.since, entry.scope.until) == (600, 719)


def test_a_condition_in_quotes_is_the_condition(folder: Path) -> None:
    (entry,) = _read(folder, "a.md", "## A\nwhen: \"quest == 'found'\"\nText.\n")
    assert entry.scope.when == "quest == 'found'"


@pytest.mark.parametrize(
    ("name", "text", "owner", "book"),
    [
        pytest.param("places.md", "## A\nT.\n", None, Book("places"), id="named by its file"),
        pytest.param("own.md", "## A\nT.\n", "mara", Book("mara/own"), id="a character's own"),
        pytest.param(
            "a.md",
            "---\nbook: {name: tales, scan_depth: 5, budget_tokens: 9, recursive: true, max_steps: 3}\n---\n## A\nT.\n",
            None,
            Book("tales", 5, 9, is_recursive=True, max_steps=3),
            id="front matter",
        ),
        pytest.param(
            "a.yaml",
            "book: {recursive: true}\nentries: [{id: a, text: T.}]\n",
            None,
            Book("a", is_recursive=True),
            id="top of a YAML file",
        ),
    ],
)
def test_a_file_is_a_book(folder: Path, name: str, text: str, owner: str | None, book: Book) -> None:
    (entry,) = _read(folder, name, text, owner)
    assert entry.book == book


def test_a_book_goes_by_the_world_where_it_says_nothing(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "a.md").write_text("---\nbook: {scan_depth: 1}\n---\n## A\nT.\n")
    entries, problems = read_lore(folder, defaults=Book(scan_depth=7, budget_tokens=50, is_recursive=True))
    assert problems == []
    assert entries[0].book == Book("deep/a", 1, 50, is_recursive=True)


def _md(line: str) -> str:
    return f"## A\n{line}\nText.\n"


def _yaml(line: str) -> str:
    return f"entries:\n  - id: a\n    text: T.\n    {line}\n"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param(
            "a.md",
            _md("logic: and_al"),
            "a.md:2:1: A.logic: there is no logic 'and_al' (did you mean 'and_all'?)",
            id="logic",
        ),
        pytest.param(
            "a.yaml",
            _yaml("logic: xor"),
            "a.yaml:4:5: entries[0].logic: there is no logic 'xor' (known logics: and_all, and_any, not_all, not_any)",
            id="logic in YAML",
        ),
        pytest.param(
            "a.md", _md("match: hole"), "A.match: there is no way to match 'hole' (did you mean 'whole'?)", id="match"
        ),
        pytest.param(
            "a.md",
            _md("always: on"),
            "A.always: there is no switch 'on' (known switches: activate, dont_activate)",
            id="always",
        ),
        pytest.param(
            "a.md", _md("probability: 120"), "a.md:2:1: A.probability: should be 100 or less, not 120", id="too likely"
        ),
        pytest.param("a.yaml", _yaml("probability: -1"), "should be 0 or more, not -1", id="less than never"),
        pytest.param("a.md", _md("probability: often"), "should be a number, not 'often'", id="no number"),
        pytest.param("a.md", _md("sticky: 2.5"), "A.sticky: should be a whole number, not 2.5", id="half a message"),
        pytest.param("a.md", _md("constant: yes"), "A.constant: should be true or false, not 'yes'", id="yes"),
        pytest.param(
            "a.md", _md("stiky: 3"), "a.md:2:1: A: unknown attribute 'stiky' (did you mean 'sticky'?)", id="unknown"
        ),
        pytest.param(
            "a.yaml", _yaml("stiky: 3"), "entries[0].stiky: unknown key 'stiky' (did you mean 'sticky'?)", id="in YAML"
        ),
        pytest.param(
            "a.md", _md("npcs:"), "a.md:2:1: A: the attribute 'npcs' has no value (write one", id="a scope left empty"
        ),
        pytest.param("a.yaml", _yaml("when:"), "a.yaml:4:5: entries[0].when: has no value", id="empty condition"),
        pytest.param("a.yaml", _yaml("npcs:"), "a.yaml:4:5: entries[0].npcs: has no value", id="empty npcs"),
        pytest.param("a.md", _md("when: quest =="), "a.md:2:1: A.when: 'quest ==': does not parse", id="condition"),
        pytest.param("a.yaml", _yaml('when: "quest.pop()"'), "entries[0].when: 'quest.pop()'", id="a call"),
        pytest.param(
            "a.md",
            _md("keys: gold, /(?=king)/"),
            "a.md:2:13: A.keys[1]: the key '/(?=king)/' is no regular expression that can be run: invalid perl"
            " operator: (?= (look-around, back-references",
            id="regex",
        ),
        pytest.param(
            "a.yaml",
            _yaml(r"secondary_keys: ['/(a)\1/']"),
            r"a.yaml:4:22: entries[0].secondary_keys[0]: the key '/(a)\\1/' is no regular expression",
            id="regex in YAML",
        ),
        pytest.param(
            "a.yaml",
            "keys: ['/[a/']\nentries: [{id: a, text: T.}, {id: b, text: T.}]\n",
            "a.yaml:1:8: keys[0]: the key '/[a/' is no regular expression",
            id="regex for the whole file",
        ),
        pytest.param("a.md", _md("keys: ..."), "a.md:2:7: A.keys[0]: the key '...' holds no word", id="no word"),
        pytest.param(
            "a.md", _md("since: 3 Harvst 10"), "a.md:2:1: A.since: there is no month 'Harvst' (did you mean", id="month"
        ),
        pytest.param("a.md", _md("until: soon"), "a.md:2:1: A.until: 'soon' is no date", id="no date"),
        pytest.param(
            "a.yaml", "since: soon\n" + _yaml("order: 1"), "a.yaml:1:1: since: 'soon' is no date", id="file's date"
        ),
        pytest.param(
            "a.md", _md(f"npcs: {'b' * 121}"), "a.md:2:7: A.npcs[0]: should have at most 120", id="npc's name"
        ),
        pytest.param("a.md", "---\nbook: {depth: 3}\n---\n## A\nT.\n", "a.md:2:8: book.depth: unknown key", id="book"),
        pytest.param("a.md", _md(f"keys: {'x' * 201}"), "A.keys[0]: should have at most 200 characters", id="long key"),
        pytest.param("a.md", _md("id: -a"), "a.md:2:1: A.id: '-a' is no id (small letters, digits", id="id"),
    ],
)
def test_a_mistake_is_told_with_its_place(folder: Path, name: str, text: str, told: str) -> None:
    found = _told(folder, name, text)
    assert len(found) == 1, found
    assert told in found[0], found[0]


def test_a_date_needs_a_calendar_where_there_is_a_world(folder: Path) -> None:
    text = _md("since: 12")
    assert "A.since: the world has no calendar" in _told(folder, "a.md", text, calendar=None)[0]
    assert _told(folder, "a.md", text, calendar=None, has_world=False) == []


def test_files_of_one_book_agree(folder: Path) -> None:
    (folder / "a.md").write_text("---\nbook: {name: tales}\n---\n## A\nT.\n")
    assert _told(folder, "b.md", "---\nbook: {name: tales}\n---\n## B\nT.\n") == []
    told = _told(folder, "b.md", "---\nbook: {name: tales, scan_depth: 4}\n---\n## B\nT.\n\n## C\nT.\n")
    assert told == [
        "b.md: book: the book 'tales' is set up otherwise in a.md"
        " (give one of them another name, or both the same settings)"
    ]


def test_several_mistakes_are_told_together(folder: Path) -> None:
    told = _told(
        folder, "a.md", "## A\nlogic: x\nsticky: y\nT.\n\n## B\nwhen: (\nkeys: ...\nT.\n\n## C\nkeys: ...\nT.\n"
    )
    assert [line.split(":")[1] for line in told] == ["2", "3", "7", "12"]
