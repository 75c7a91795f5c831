"""``npc bench``: how fast the engine is on this machine, alone and beside others. Torch loads only when a command runs.

Every command makes its own random weights once, prints tables, and writes the same figures to a file if asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from npc_sdk.bench.plan import Plan

app = typer.Typer(help="Measure the engine on this machine, alone and beside others.", no_args_is_help=True)

LARGE = "nemotron-mini-4b"
ShapeName: TypeAlias = Annotated[str, typer.Option("--shape", help="nemotron-mini-4b, mid, tiny or hearth.")]
Work: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Where the models are made and kept; a folder of your cache if not given.", metavar="DIR"),
]
JsonFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--json", help="Write the figures here; an interrupted bench goes on from it.", metavar="FILE"),
]
Device: TypeAlias = Annotated[str, typer.Option(help="cpu, or cuda for ours and transformers.")]
Runs: TypeAlias = Annotated[int, typer.Option(help="How often each figure is taken, by turns.", min=1)]


class Screen:
    """A progress bar on standard error, and plain lines of what is being made."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task("starting", total=None)

    def say(self, text: str) -> None:
        """What is being done now."""
        self._progress.update(self._task, description=text)

    def advance(self, done: int, total: int, what: str) -> None:
        """How far it is."""
        self._progress.update(self._task, completed=done, total=total, description=what)

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


@app.command()
def engine(
    shape: ShapeName = LARGE, runs: Runs = 3, work: Work = None, json_file: JsonFile = None, device: Device = "cpu"
) -> None:
    """One reply, eight together, long prompts, warm prefixes, loading, memory, beside a busy core."""
    from npc_sdk.bench import engine as bench

    _run(bench.run, "engine", shape, runs, work, json_file, device=device)


@app.command()
def peers(
    shape: ShapeName = LARGE, runs: Runs = 3, work: Work = None, json_file: JsonFile = None, device: Device = "cpu"
) -> None:
    """Ours, llama.cpp, onnxruntime-genai and transformers by turns on the same weights; wants the [bench] extra."""
    from npc_sdk.bench import peers as bench

    _run(bench.run, "peers", shape, runs, work, json_file, device=device)


@app.command()
def tavern(
    shape: ShapeName = LARGE,
    turns: Annotated[int, typer.Option(help="Lines for each of the eight characters.", min=1, max=6)] = 6,
    runs: Runs = 1,
    work: Work = None,
    json_file: JsonFile = None,
    device: Device = "cpu",
) -> None:
    """An evening with eight characters, on our engine and on llama.cpp's server; wants the [bench] extra."""
    from npc_sdk.bench.tavern import bench

    _run(lambda plan: bench.run(plan, turns), "tavern", shape, runs, work, json_file, {"turns": turns}, device=device)


@app.command()
def frames(
    shape: ShapeName = LARGE,
    seconds: Annotated[float, typer.Option(help="How long each game runs.", min=1.0)] = 20.0,
    runs: Runs = 3,
    work: Work = None,
    json_file: JsonFile = None,
    device: Device = "cpu",
) -> None:
    """A game of 60 frames a second beside the engine: silent, speaking, and speaking with the governor on."""
    from npc_sdk.bench import frames as bench

    _run(
        lambda plan: bench.run(plan, seconds),
        "frames",
        shape,
        runs,
        work,
        json_file,
        {"seconds": seconds},
        device=device,
    )


@app.command()
def ahead(
    shape: ShapeName = LARGE, runs: Runs = 3, work: Work = None, json_file: JsonFile = None, device: Device = "cpu"
) -> None:
    """The first token after Enter, when the words were sent while they were typed and when not."""
    from npc_sdk.bench import ahead as bench

    _run(bench.run, "ahead", shape, runs, work, json_file, device=device)


@app.command()
def calls(
    shape: ShapeName = LARGE, runs: Runs = 3, work: Work = None, json_file: JsonFile = None, device: Device = "cpu"
) -> None:
    """What keeping calls to a grammar costs a step, and what feeding forced tokens at once saves."""
    from npc_sdk.bench import calls as bench

    _run(bench.run, "calls", shape, runs, work, json_file, device=device)


@app.command()
def copy(runs: Runs = 5, work: Work = None, json_file: JsonFile = None) -> None:
    """The bundled model's replies about lore, which it quotes, with and without guessing ahead."""
    from npc_sdk.bench import copying as bench

    _run(bench.run, "copy", "hearth", runs, work, json_file)


@app.command()
def lore(
    passages: Annotated[int, typer.Option(help="How many passages the larger world has.", min=100)] = 100_000,
    semantic: Annotated[
        Path | None,
        typer.Option(help="A sentence-transformers folder, to measure it on at most 10,000 passages.", metavar="DIR"),
    ] = None,
    runs: Runs = 3,
    work: Work = None,
    json_file: JsonFile = None,
) -> None:
    """The lore search: index time cold and warm, disk, memory and query time, beside rank_bm25 and bm25s."""
    from npc_sdk.bench import lore as bench
    from npc_sdk.bench.report import tables
    from npc_sdk.bench.store import default_work

    folder = (work or default_work()).expanduser().resolve() / "lore"
    with Screen() as screen:
        board = bench.run(
            work=folder, json_path=json_file, runs=runs, passages=passages, semantic=semantic, watch=screen
        )
    for part in tables(board):
        Console().print(part)


@app.command()
def bridge(runs: Runs = 3, json_file: JsonFile = None) -> None:
    """The bridge on the scripted engine: pings, round trips and streamed tokens, beside bare pyzmq sockets."""
    from game_bridge.bench import run as bench
    from npc_sdk.bench.report import tables

    with Screen() as screen:
        board = bench.run(json_path=json_file, runs=runs, watch=screen)
    for part in tables(board):
        Console().print(part)


def _run(
    bench: Callable[[Plan], None],
    name: str,
    shape: str,
    runs: int,
    work: Path | None,
    json_file: Path | None,
    settings: Mapping[str, Any] | None = None,
    *,
    device: str = "cpu",
) -> None:
    """Prepares a bench, runs it and shows what it found, whatever it found until it stopped."""
    from npc_sdk.bench.plan import make
    from npc_sdk.bench.report import tables

    with Screen() as screen:
        plan = make(
            name, shape, work=work, json_path=json_file, runs=runs, watch=screen, device=device, settings=settings
        )
        bench(plan)
    for part in tables(plan.board):
        Console().print(part)
