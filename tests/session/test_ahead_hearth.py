"""A front that is computed ahead is what the reply's prompt begins with, on the model that ships with the package."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .stage import end_of, hear


async def test_hearth_has_all_but_the_last_words_computed() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from npc_sdk.engine.create import create_engine
    from npc_sdk.world import World

    village = Path(__file__).parents[2] / "personas"
    engine = create_engine("hearth")
    world = World.load(village, engine)
    session = world.talk("mara", player="Robin")
    session.typing("Good evening to you, do you know what happened to the old mill, plea")
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
    words = "Good evening to you, do you know what happened to the old mill, please?"
    usage = end_of(await hear(session, words)).usage
    assert usage.prompt_tokens > 100
    assert usage.prompt_tokens - usage.cached_tokens < 16
    await world.close()
