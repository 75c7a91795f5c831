"""A player's evening from end to end, over a real socket: with a sensible model, and with stubborn ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tavern_server import Serve, acts, by_words, sensible

from npc_sdk.errors import ConnectionLost
from npc_sdk.requests import GenerateRequest
from samples.tavern_text import server
from samples.tavern_text.__main__ import main
from samples.tavern_text.evening import EVENINGS, FIRST

HERBAL = {
    "any work": acts("start_quest", quest="moonpetals"),
    "3 coins": acts("sell_item", item="healing potion", price=3),
    "open the gate": acts("open_door", door="gate"),
    "the map": acts("give_item", item="map"),
    "here is a moonpetal": acts("take_item", item="moonpetal"),
    "my reward": acts("finish_quest", quest="moonpetals"),
}


def write(tmp_path: Path, steps: str) -> Path:
    path = tmp_path / "evening.yaml"
    path.write_text(f"title: A night\nsteps:\n{steps}", encoding="utf-8")
    return path


def test_first_evening_ends_with_the_hammer_back(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "transcript.txt"
    assert main(["--address", serve(sensible), "--script", str(FIRST), "--transcript", str(kept)]) == 0
    text = capsys.readouterr().out
    assert "the lost hammer: finished" in text
    assert "Quest finished: the lost hammer. Mara pays: iron sword" in text
    told = " ".join(text.split())  # lines wrap at the width
    assert "Mara tries to sell item (lantern, 2), refused: The least you take for it is 3 coins." in told
    assert "refused: The cellar door is open already." in told
    figures = text[text.index("The evening in figures") :]
    accepted = next(line for line in figures.splitlines() if line.startswith("tools accepted"))
    assert len(accepted.removeprefix("tools accepted").split(",")) >= 4
    assert "\x1b" not in text
    assert "Robin: Here is your silver hammer." in kept.read_text(encoding="utf-8")


def test_moonpetals_evening_ends_with_the_potion(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    address = serve(by_words(HERBAL))
    assert main(["--address", address, "--script", str(EVENINGS / "moonpetals.yaml")]) == 0
    text = capsys.readouterr().out
    assert "The gate is shut. Corvin has the key." in text
    assert "refused: The least you take for it is 6 coins." in " ".join(text.split())
    assert "Quest finished: moonpetals. Elsbeth pays: healing potion" in text
    assert "(0 of them rephrased)" in text


def test_patient_player_rephrases_three_times_at_most(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = write(
        tmp_path,
        "- do: talk Pip\n- say: Come with me.\n  until: {tool: follow_player}\n  otherwise: [Come!, Now., Please.]\n",
    )
    assert main(["--address", serve(lambda _: "No."), "--script", str(script)]) == 0
    text = capsys.readouterr().out
    assert [text.count(f"Robin: {words}") for words in ("Come with me.", "Come!", "Now.", "Please.")] == [
        1,
        1,
        1,
        1,
    ]
    assert "4 (3 of them rephrased)" in text


def test_rephrasing_stops_once_the_act_has_come(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = write(
        tmp_path,
        "- do: talk Pip\n- say: Hm.\n  until: {tool: follow_player}\n  otherwise: [Come with me., Never said.]\n",
    )
    assert main(["--address", serve(sensible), "--script", str(script)]) == 0
    text = capsys.readouterr().out
    assert "Pip comes along" in text
    assert "Never said" not in text


def test_a_reply_of_several_sentences_stays_one_speech(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = write(tmp_path, "- do: talk Pip\n- say: Hello.\n")
    assert main(["--address", serve(lambda _: "Aye. Off you go. Quick!"), "--script", str(script)]) == 0
    assert "Pip: Aye. Off you go. Quick!" in capsys.readouterr().out


def test_a_refusal_says_who_tried_what_and_why_not(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stubborn = by_words({"the hammer": acts("give_item", item="silver hammer")})
    script = write(tmp_path, "- do: talk Pip\n- say: Give me the hammer.\n")
    assert main(["--address", serve(stubborn), "--script", str(script)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Pip tries to give item (silver hammer), refused: You want the honey cake first." in told
    assert "Pip: So be it: refused." in told, "the same reply goes on"


def test_what_a_character_does_not_hold_no_call_can_name(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generous = by_words({"the map": acts("give_item", item="map")})
    script = write(tmp_path, "- do: talk Pip\n- say: Give me the map.\n- do: bye\n- do: inventory\n")
    assert main(["--address", serve(generous), "--script", str(script)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "give_item invalid: you cannot give_item 'map' now; item can be: silver hammer, lucky stone" in told
    assert "Pip: So be it: invalid." in told
    assert "You hold nothing" in told


def test_what_was_sold_cannot_be_named_again_in_the_same_reply(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def greedy(request: GenerateRequest) -> str:
        results = [message.tool_result for message in request.messages if message.tool_result]
        return acts("sell_item", item="lantern", price=4 - len(results)) if len(results) < 2 else "That is all."

    script = write(tmp_path, "- do: go forge\n- do: talk Mara\n- say: I will buy the lantern.\n")
    assert main(["--address", serve(greedy), "--script", str(script)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Mara sells: lantern, for 4 coins" in told
    assert "sell_item invalid: you cannot sell_item 'lantern' now; item can be: iron sword, knife" in told


def test_empty_hands_evening_shows_refusals_of_both_kinds(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    wishes = {
        "give me the honey cake": acts("give_item", item="honey cake"),
        "2 coins for the lantern": acts("sell_item", item="lantern", price=2),
        "4 coins for the lantern": acts("sell_item", item="lantern", price=4),
        "the silver hammer": acts("give_item", item="silver hammer"),
        "the iron sword": acts("give_item", item="iron sword"),
    }
    assert main(["--address", serve(by_words(wishes)), "--script", str(EVENINGS / "empty_hands.yaml")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "you cannot give_item 'honey cake' now; item can be: iron sword, lantern, knife" in told
    assert "refused: The least you take for it is 3 coins. Mara: So be it: refused." in told
    assert "you cannot sell_item 'lantern' now; item can be: iron sword, knife" in told
    assert "refused: You want the honey cake first. Pip: So be it: refused." in told
    assert "you cannot give_item 'iron sword' now; item can be: silver hammer, lucky stone" in told
    assert "You hold lantern, and 6 coins." in told


def test_transcript_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--transcript", str(tmp_path / "no" / "kept.txt")]) == 1
    text = capsys.readouterr().out.replace("\n", " ")
    assert "cannot write the transcript" in text
    assert "name a file in a folder that exists" in text


def test_act_that_never_reached_the_game_is_shown_and_counted(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def wild(request: GenerateRequest) -> str:
        return "Oh." if request.messages[-1].tool_result else acts("open_door", door="gate")

    script = write(tmp_path, "- do: talk Pip\n- say: Open the gate.\n")
    assert main(["--address", serve(wild), "--script", str(script)]) == 0
    text = capsys.readouterr().out
    assert "open_door invalid" in text
    assert "tools invalid" in text


def test_reply_that_fails_is_shown_and_the_evening_goes_on(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: GenerateRequest) -> str:
        raise RuntimeError("a wire came loose")

    script = write(tmp_path, "- do: talk Pip\n- say: Hello.\n- do: bye\n- do: inventory\n")
    assert main(["--address", serve(broken), "--script", str(script)]) == 0
    text = capsys.readouterr().out
    assert "a wire came loose" in text
    assert "replies failed" in text
    assert "You hold nothing" in text


def test_words_without_a_listener_change_nothing(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--address", serve(sensible), "--script", str(write(tmp_path, "- say: Hello?\n"))]) == 0
    assert "Nobody is listening." in capsys.readouterr().out


def test_typed_evening_takes_lines_from_the_keyboard(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = iter(["talk pip", "Come with me.", "", "Bye!", "go forge", "quit"])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert main(["--address", serve(sensible), "--player", "Ada"]) == 0
    text = capsys.readouterr().out
    assert "Pip comes along" in text
    assert "Here: Mara and Pip." in text
    assert "The evening ends." in text


def test_end_of_typed_input_ends_the_evening(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nothing)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert main(["--address", serve(sensible)]) == 0
    assert "The evening in figures" in capsys.readouterr().out


def test_mistake_in_the_script_is_told_before_a_server_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a server was started"))
    assert main(["--script", str(write(tmp_path, "- shout: hey\n"))]) == 1
    assert "steps.0" in capsys.readouterr().out


def test_server_that_cannot_start_is_told_with_its_own_words() -> None:
    with pytest.raises(ConnectionLost) as caught, server.running_server(["--engine=no-such-model"], lambda _: None):
        pytest.fail("it was ready")
    assert "exit code 1" in caught.value.message
    assert "no-such-model" in caught.value.hint


def test_game_process_loads_no_model_code() -> None:
    program = (
        "import sys, samples.tavern_text.__main__\n"
        "heavy = ('torch', 'transformers', 'npc_sdk.world', 'npc_sdk.session', 'npc_sdk.persona', 'npc_sdk.lore',"
        " 'npc_sdk.prompt', 'npc_sdk.engine', 'npc_sdk.cli')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
