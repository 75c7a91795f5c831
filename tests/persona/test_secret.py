"""Secrets that can come out: not in the prompt before their condition holds; and the greeting that fits the moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npc_sdk.messages import JsonValue
from npc_sdk.persona.greeting import greeting_line
from npc_sdk.persona.load import read_persona
from npc_sdk.persona.schema import Persona, WorldFile
from npc_sdk.persona.secret import conditional_secrets, kept_secrets, open_secrets, secret_hints
from npc_sdk.prompt.system import system_text

HEAD: dict[str, Any] = {"name": "Ada", "role": "the miller", "voice": {"style": "calm"}}
DEBT = {"id": "debt", "text": "You owe Varn fifty coins.", "when": "relation.player >= 4", "hint": "You hide a debt."}
CRIME = {"id": "crime", "text": "You burned the mill.", "when": "quests.fire == 'done'"}
WORLD = WorldFile(name="Testland")


def _persona(**keys: Any) -> Persona:
    return Persona.model_validate({**HEAD, **keys})


ADA = _persona(secrets=["You fear wolves.", DEBT, CRIME, {"id": "gold", "text": "You stole gold."}])


@pytest.mark.parametrize(
    ("variables", "opened"),
    [
        pytest.param({}, [], id="nothing is set"),
        pytest.param({"relation": {"player": 3}}, [], id="not yet"),
        pytest.param({"relation": {"player": 4}}, ["debt"], id="one"),
        pytest.param({"relation": {"player": 9}, "quests": {"fire": "done"}}, ["debt", "crime"], id="both"),
        pytest.param({"relation": "friend", "quests": {"fire": "given"}}, [], id="state of another kind"),
    ],
)
def test_a_secret_opens_when_its_condition_holds(variables: dict[str, JsonValue], opened: list[str]) -> None:
    found = open_secrets(ADA, variables)
    assert [secret.id for secret in found.opened] == opened
    assert {closed.secret.id for closed in found.closed} == {"debt", "crime"} - set(opened)
    assert all(closed.why.startswith("only when ") for closed in found.closed)


def test_secrets_without_a_condition_are_never_told() -> None:
    assert kept_secrets(ADA) == ("You fear wolves.", "You stole gold.")
    assert [secret.id for secret in conditional_secrets(ADA)] == ["debt", "crime"]
    assert secret_hints(ADA) == ("You hide a debt.",)


def test_of_a_conditional_secret_only_the_hint_is_in_the_system_text() -> None:
    text = system_text(ADA, WORLD)
    assert text.endswith(
        "Secret, never to be told: You fear wolves.\nSecret, never to be told: You stole gold.\nYou hide a debt."
    )
    assert "Varn" not in text
    assert "mill." not in text.replace("the mill", "", 1)


@pytest.mark.parametrize(
    ("persona", "world", "line"),
    [
        pytest.param({"appearance": "Tall and pale. "}, {}, "\nAppearance: Tall and pale.\nVoice: calm.", id="looks"),
        pytest.param({"taboos": ["the king", "war"]}, {}, "\nNever talk about: the king; war.", id="taboos"),
        pytest.param({}, {"language": "German"}, "call a tool. Answer in German.\n", id="the world's language"),
        pytest.param({"language": "Latin"}, {"language": "German"}, " Answer in Latin.\n", id="its own language"),
        pytest.param({"language": "Latin"}, {"rules": ["Be brief."]}, "Be brief. Answer in Latin.\n", id="after rules"),
    ],
)
def test_the_system_text_says(persona: dict[str, Any], world: dict[str, Any], line: str) -> None:
    assert line in system_text(_persona(**persona), WorldFile.model_validate({"name": "A", **world}))


def test_english_needs_no_rule() -> None:
    english = WorldFile(name="A", language="english")
    assert system_text(_persona(), english) == system_text(_persona(), WORLD)
    assert system_text(_persona(language="English"), WorldFile(name="A", language="German")).count("Answer in") == 0


@pytest.mark.parametrize(
    ("greeting", "variables", "said"),
    [
        pytest.param("Halt.", {}, "Halt.", id="a text"),
        pytest.param("", {}, "", id="none"),
        pytest.param("Hello, {{ player }}.", {}, "Hello, Tom.", id="the player"),
        pytest.param("It is {{ weather }}.", {}, "", id="nothing set"),
        pytest.param(["It is {{ weather }}.", "Hello."], {}, "Hello.", id="the next where nothing is set"),
        pytest.param(["It is {{ weather }}.", "Hello."], {"weather": "wet"}, "It is wet.", id="the first that is set"),
        pytest.param(
            ["{% if relation.player > 3 %}My friend!{% endif %}", "You again."],
            {"relation": {"player": 1}},
            "You again.",
            id="the next where a condition fails",
        ),
        pytest.param(["{{ a }}"], {"a": "x" * 2000}, "", id="too long"),
        pytest.param("Mind the  gap } {", {}, "Mind the  gap } {", id="no template"),
    ],
)
def test_the_first_greeting_that_fits_is_said(
    greeting: str | list[str], variables: dict[str, JsonValue], said: str
) -> None:
    assert greeting_line(_persona(greeting=greeting), variables, "Tom") == said


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        pytest.param(
            "secrets: [{id: a, text: b, when: relation.player >=}]",
            "4:28: secrets[0].when: 'relation.player >=': does not parse",
            id="condition",
        ),
        pytest.param("secrets: [{id: a, text: b, when: '{{ a }}'}]", "is written without braces", id="braces"),
        pytest.param("secrets: [{id: a, text: b, when: 'f(1)'}]", "'call' is not allowed here", id="call"),
        pytest.param("secrets: [{id: a, text: b, when: ''}]", "a condition of no words", id="no condition"),
        pytest.param("secrets: [{text: b}]", "secrets[0].id: is missing (Names it in traces.)", id="no id"),
        pytest.param("secrets: [{id: a, txt: b}]", "unknown key 'txt' (did you mean 'text'?)", id="unknown key"),
        pytest.param("secrets: [a, 12]", "4:14: secrets[1]: should be text, not 12 (put it in quotes)", id="number"),
        pytest.param(
            "secrets: [{id: a, text: b}, {id: a, text: c}]",
            "secrets[1].id: the id 'a' is given twice (first in secrets[0])",
            id="twice",
        ),
        pytest.param("greeting: [Hello., 12]", "4:20: greeting[1]: should be text, not 12", id="greeting of a number"),
        pytest.param("greeting: {a: b}", "greeting: should be text, not {'a': 'b'}", id="greeting of a map"),
        pytest.param("greeting: ['{{ a | jion }}']", "greeting[0]: '{{ a | jion }}': does not parse", id="filter"),
        pytest.param("greeting: '{{ a }'", "4:1: greeting: '{{ a }': does not parse", id="brace"),
        pytest.param("taboos: the king", "taboos: should be a list, not 'the king'", id="taboos"),
        pytest.param("factions: [12]", "factions[0]: should be text, not 12", id="faction"),
        pytest.param(
            "secrets: [{id: a, text: b, hint: c}]",
            "4:28: secrets[0].hint: the hint is only told where there is a 'when' (add one, or take the hint out)",
            id="hint without a condition",
        ),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, keys: str, told: str) -> None:
    path = tmp_path / "persona.yaml"
    path.write_text(f"name: Ada\nrole: the miller\nvoice: {{style: calm}}\n{keys}\n", encoding="utf-8")
    problems = [str(problem) for problem in read_persona(path).problems]
    assert any(told in problem for problem in problems), problems
