"""What the fuzzer calls works without the fuzzer: seeds go through, refusals are no findings, other faults are."""

from __future__ import annotations

import pytest

from game_bridge.attack import fuzz
from npc_sdk.errors import NpcError, ProtocolError


@pytest.mark.parametrize("target", sorted(fuzz.TARGETS))
def test_every_seed_is_sound(target: str) -> None:
    found = list(fuzz.seeds(target))
    assert found
    refused = []
    for seed in found:
        try:
            fuzz.TARGETS[target](seed)
        except NpcError as exc:
            refused.append(str(exc))
    assert not [told for told in refused if "extra frames came" not in told], "a say without its pictures"


@pytest.mark.parametrize("target", sorted(fuzz.TARGETS))
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 100, bytes(range(256))], ids=["none", "one", "ones", "all"])
def test_what_is_refused_with_a_type_is_no_finding(target: str, data: bytes) -> None:
    fuzz.guarded(fuzz.TARGETS[target])(data)


def test_a_fault_without_a_type_is_a_finding() -> None:
    def refuses(_data: bytes) -> None:
        raise ProtocolError("no")

    def fails(_data: bytes) -> None:
        raise ZeroDivisionError("a bug")

    fuzz.guarded(refuses)(b"")
    with pytest.raises(ZeroDivisionError):
        fuzz.guarded(fails)(b"")
