"""The Python client, and the harness itself, under the script that every client must pass."""

from __future__ import annotations

import sys

import pytest

from game_bridge.conformance import run
from game_bridge.conformance.run import PASSED, ConformanceError, run_client

pytestmark = pytest.mark.timeout(600)  # run_client has its own patience
CLIENT = (sys.executable, "-m", "game_bridge.conformance.client")


@pytest.mark.parametrize("token", ["", "s3cret"], ids=["without a token", "with a token"])
def test_the_python_client_passes(token: str) -> None:
    assert run_client(CLIENT, token=token) == PASSED


@pytest.mark.parametrize(("token", "shown"), [("s3cret", ""), ("", "s3cret")], ids=["one is wanted", "none is wanted"])
def test_another_mechanism_is_an_auth_error(token: str, shown: str) -> None:
    failed, *rest = run_client(CLIENT, token=token, shown=shown)
    assert failed.startswith("failed connect: ")
    assert "AuthenticationFailed" in failed
    assert rest == ["exit 1"]


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_program_that_fails_is_told() -> None:
    lines = run_client(program("import sys; print('# a remark'); print('failed connect: why'); sys.exit(1)"))
    assert lines == ["failed connect: why", "exit 1"]


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(ConformanceError, match="ok connect"):
        run_client(program("import time; print('ok connect', flush=True); time.sleep(60)"), timeout_s=6.0)


def test_a_program_that_hangs_at_its_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_END_S", 0.2)
    with pytest.raises(ConformanceError, match="did not end"):
        run_client(program("import os, time; print('done'); os.close(1); time.sleep(60)"), timeout_s=6.0)
