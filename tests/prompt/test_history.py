"""What a long conversation costs a prompt: what the window holds of it, however long it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from npc_sdk.messages import Message
from npc_sdk.prompt.formats import chat_format
from npc_sdk.prompt.history import TRIM_STEP, History
from npc_sdk.prompt.pack import Budget
from npc_sdk.requests import Segment


class Counting:
    """Counts words, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, segments: Sequence[Segment]) -> int:
        self.asked += 1
        return sum(len(segment.text.split()) for segment in segments)


class Rendering:
    """A chat format that keeps what it rendered."""

    def __init__(self) -> None:
        self.rendered: list[str] = []
        self._format = chat_format("nemotron")

    def turn(self, message: Message) -> list[Segment]:
        self.rendered.append(message.text)
        return self._format.turn(message)


def exchanges(count: int, words: int = 10) -> list[Message]:
    return [
        message
        for n in range(count)
        for message in (Message("user", f"q{n} " + "w " * words), Message("assistant", f"a{n}"))
    ]


@pytest.mark.parametrize("count", [20, 2_000])
def test_only_what_may_fit_is_rendered_and_counted(count: int) -> None:
    counting, rendering = Counting(), Rendering()
    history = History(exchanges(count), rendering, counting)  # type: ignore[arg-type]
    kept = history.choose(Budget(100))
    assert 0 < len(kept) <= 14
    assert counting.asked <= 8
    assert len(rendering.rendered) <= 16


def test_what_was_rendered_once_is_not_rendered_again_for_a_smaller_room() -> None:
    counting, rendering = Counting(), Rendering()
    history = History(exchanges(50), rendering, counting)  # type: ignore[arg-type]
    before = history.choose(Budget(400))
    asked, rendered = counting.asked, len(rendering.rendered)
    after = history.choose(Budget(300))
    assert (counting.asked, len(rendering.rendered)) == (asked, rendered)
    assert before[-len(after) :] == after


def test_everything_is_in_the_account_and_what_was_not_counted_says_so() -> None:
    budget = Budget(200)
    kept = History(exchanges(41), chat_format("nemotron"), Counting()).choose(budget)
    parts = budget.parts
    assert [part.name for part in parts] == [f"exchange {n + 1}" for n in range(41)]
    outs = [part for part in parts if not part.is_in]
    assert len(outs) % TRIM_STEP == 0
    assert len(kept) == 2 * (41 - len(outs))
    assert all(("not counted" in part.why) == (part.tokens == 0) for part in outs)
    assert "not counted" in outs[0].why
    assert budget.left == 200 - sum(part.tokens for part in parts if part.is_in)


def test_a_conversation_of_nothing_is_none() -> None:
    assert History((), chat_format("nemotron"), Counting()).choose(Budget(10)) == ()
