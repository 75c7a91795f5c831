"""The small sample programs run from the first line to the last."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from tavern_server import Serve, acts

from npc_sdk.requests import GenerateRequest

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("01_hello_npc.py", ["Robin: Do you have any work for me?", "Mara: I have nothing to say."]),
        ("02_over_the_socket.py", ["here live", "Tobin: I have nothing to say.", "Corvin: I have nothing to say."]),
    ],
)
def test_program_talks_with_the_scripted_engine(program: str, said: list[str]) -> None:
    command = [sys.executable, str(SAMPLES / program), "scripted"]
    environ = {**os.environ, "PYTHONPATH": str(SAMPLES.parent)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in said if line not in done.stdout] == []


def test_tools_program_sells_what_can_be_paid_and_refuses_the_rest(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def seller(request: GenerateRequest) -> str:
        if request.messages[-1].tool_result:
            return "There."
        item, price = ("lantern", 4) if "lantern" in request.messages[-1].text else ("knife", 6)
        return acts("sell_item", item=item, price=price)

    monkeypatch.setattr("sys.argv", ["03_tools.py", serve(seller)])
    runpy.run_path(str(SAMPLES / "03_tools.py"), run_name="__main__")
    text = capsys.readouterr().out
    assert "[sell_item accepted: {'item': 'lantern', 'paid': 4}]" in text
    assert "[sell_item refused: The player has only 1 coins.]" in text
    assert "[sell_item invalid: you cannot sell_item 'lantern' now; item can be: knife]" in text
    assert "Left on the shelf: knife; in the purse: 1 coins." in text
