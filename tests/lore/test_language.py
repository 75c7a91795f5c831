"""Words as the search compares them, in English and in other languages."""

from __future__ import annotations

import pytest

from npc_sdk.errors import SettingsError
from npc_sdk.lore.language import LANGUAGES, Language
from npc_sdk.lore.word import content_words, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mills", "mill"),
        ("burned", "burning"),
        ("houses", "house"),
        ("wolf's", "wolf"),
        ("wolf’s", "wolf"),
        ("parties", "party"),
        ("foxes", "fox"),
        ("robbed", "robbing"),
        ("forged", "forge"),
        ("Straße", "strasse"),
        ("gate_keeper", "gate keeper"),
    ],
)
def test_forms_of_a_word_are_one(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"), [("glass", "glas"), ("ring", "r"), ("bed", "b"), ("bus", "bu"), ("king", "k")]
)
def test_endings_that_belong_to_the_word_stay(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_small_words_are_no_content() -> None:
    assert [word for _, word in content_words("Don't you know where the mill's wheel is?")] == ["mill", "wheel"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("酒馆在哪里", ["酒馆", "馆在", "在哪", "哪里"], id="pairs of signs"),
        pytest.param("the 酒馆 inn", ["the", "酒馆", "inn"], id="beside words"),
        pytest.param("酒", ["酒"], id="one sign"),
        pytest.param("हिन्दी भाषा", ["हिन्दी", "भाषा"], id="vowel signs belong to their word"),
    ],
)
def test_other_scripts_are_taken_apart(text: str, parts: list[str]) -> None:
    assert words(text) == parts


def test_a_key_in_a_script_without_blanks_is_heard_within_a_sentence() -> None:
    said, key = words("老酒馆在哪里"), words("酒馆")
    assert key[0] in said


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_language_that_is_named_can_be_chosen(name: str) -> None:
    language = Language.named(name.upper())
    assert language.name == name
    assert language.words("Mühle 7") == [language.stem("mühle"), "7"]


@pytest.mark.parametrize(
    ("name", "one", "other", "small"),
    [
        ("German", "Häuser", "Haus", "und"),
        ("French", "maisons", "maison", "dans"),
        ("Russian", "домами", "дома", "когда"),
        ("Spanish", "espadas", "espada", "para"),
    ],
)
def test_other_languages_have_their_own_endings_and_small_words(name: str, one: str, other: str, small: str) -> None:
    language = Language.named(name)
    assert language.words(one) == language.words(other)
    assert language.content_words(small) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("Germn", "did you mean 'German'?", id="misspelt"),
        pytest.param("Klingon", "known languages: Afrikaans", id="unknown"),
        pytest.param("", "known languages: Afrikaans", id="empty"),
    ],
)
def test_an_unknown_language_is_told(name: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Language.named(name)
    assert repr(name) in str(caught.value)
    assert hint in str(caught.value)
