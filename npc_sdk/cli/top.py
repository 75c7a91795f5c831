"""`npc top`: what a running server and its model do, live in a terminal or once for a script."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Annotated

import typer

from npc_sdk.cli import option
from npc_sdk.errors import AuthenticationFailed, ConnectionLost

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from game_bridge.client import NpcClient
    from game_bridge.message import Figures, GovernorFields, RequestFields

PATIENCE_S = 2.0
ROWS = 20
LINES_ABOVE = 12  # of the terminal, above the list of replies
PLAIN_COLUMNS = 120
_LABEL = 10
_MB = 1024**2


def top(
    once: Annotated[bool, typer.Option("--once", help="Print once and leave, as without a terminal.")] = False,
    interval: Annotated[float, typer.Option(help="Seconds from one look to the next.", min=0.1, max=3600)] = 1.0,
    host: Annotated[str | None, typer.Option(help="Where the server listens.")] = None,
    port: Annotated[int | None, typer.Option(help="The server's port.", min=1, max=65535)] = None,
    token_file: option.TokenFile = None,
    settings: option.SettingsFile = None,
) -> None:
    """Watch a running server: its queue, cache, speed and last requests. Ctrl-C leaves.

    Start the server with "npc serve". A run of a reply is one line; it has several runs if the character acted.
    """
    from rich.console import Console

    from npc_sdk.cli.assembly import read_settings

    server = read_settings(settings).server
    address = f"tcp://{host or server.host}:{port or server.port}"
    console = Console(highlight=False)
    token = option.read_token(token_file) if token_file else server.token
    with _connect(address, token) as client:
        if once or not console.is_terminal:
            console.print(board(client.stats(), address, ROWS), width=None if console.is_terminal else PLAIN_COLUMNS)
        else:
            _watch(client, address, console, interval)


def _connect(address: str, token: str | None = None) -> NpcClient:
    """Raises: ConnectionLost, AuthenticationFailed, VersionMismatch, Overloaded."""
    from game_bridge.client import NpcClient

    try:
        return NpcClient.connect(address, token=token, timeout_s=PATIENCE_S, client="npc top")
    except ConnectionLost as exc:
        hint = "start a server with npc serve, or name its --port"
        raise ConnectionLost(f"no server answers at {address}", hint=hint) from exc
    except AuthenticationFailed as exc:
        raise AuthenticationFailed(exc.message, hint=option.AUTH_HINT) from exc


def _watch(client: NpcClient, address: str, console: Console, interval_s: float) -> None:
    """Until Ctrl-C. Raises: ConnectionLost when the server goes."""
    from rich.live import Live

    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                rows = max(1, console.height - LINES_ABOVE)
                live.update(board(client.stats(), address, rows), refresh=True)
                time.sleep(interval_s)
    except KeyboardInterrupt:
        return


def board(figures: Figures, address: str, rows: int) -> RenderableType:
    """Everything on one page: the server and its model in a few lines, then the last replies, the newest first."""
    from rich.console import Group
    from rich.text import Text

    lines = [Text.assemble((f"{name:<{_LABEL}}", "bold cyan"), told) for name, told in _lines(figures, address).items()]
    replies = [request for request in reversed(figures.requests) if not request.is_front]
    return Group(*lines, Text(), _table(replies[:rows]))


def _lines(figures: Figures, address: str) -> dict[str, str]:
    """What each line is called and says."""
    engine, cache, bridge = figures.engine, figures.cache, figures.bridge
    return {
        "model": f"{figures.name} on {figures.device}, at {address}",
        "now": f"running {engine.running}, waiting {engine.waiting}; open replies {bridge.replies}, "
        f"conversations {bridge.sessions}, connections {bridge.peers}",
        "speed": _speed([request for request in figures.requests if request.new_tokens > 1]),
        "ahead": _ahead([request for request in figures.requests if request.is_front]),
        "steps": f"{engine.steps}, {_batches(figures)}; pre-empted {engine.preemptions}",
        "guesses": f"{engine.accepted_tokens} of {engine.drafted_tokens} drafted tokens were right",
        "cache": f"{cache.used_bytes / _MB:.1f} MB in use and {cache.kept_bytes / _MB:.1f} MB kept of "
        f"{cache.pool_bytes / _MB:.1f} MB; blocks evicted {cache.evictions}",
        "governor": _governor(figures.governor),
        "frames": _frames(figures.governor),
    }


def _speed(replies: list[RequestFields]) -> str:
    """Medians over the last replies."""
    if not replies:
        return "no replies yet, or a scripted engine, which keeps no figures"
    tokens_per_s = statistics.median(reply.tokens_per_s for reply in replies)
    first_ms = statistics.median(reply.first_token_s for reply in replies) * 1e3
    return f"{tokens_per_s:.1f} tokens/s, {first_ms:.1f} ms to the first (medians of {len(replies)})"


def _ahead(fronts: list[RequestFields]) -> str:
    """Prompts begun before anybody asked."""
    ended = [front for front in fronts if front.end == "stop"]
    reused, tokens = (sum(getattr(one, name) for one in ended) for name in ("reused_tokens", "prompt_tokens"))
    known = f"{reused} of {tokens} tokens known"
    return f"{len(ended)} prompts begun in advance ({known}), {len(fronts) - len(ended)} given up"


def _batches(figures: Figures) -> str:
    """How many requests shared a step."""
    if not figures.batches:
        return "none shared"
    steps = sum(batch.steps for batch in figures.batches)
    mean = sum(batch.requests * batch.steps for batch in figures.batches) / max(1, steps)
    sizes = ", ".join(f"{batch.steps} of {batch.requests}" for batch in figures.batches)
    return f"{mean:.1f} requests each ({sizes})"


def _governor(governor: GovernorFields) -> str:
    """How far the model gives way."""
    way = f"gives way: works {governor.share:.0%} of the time" if governor.is_throttling else "full speed"
    threads = f", threads {governor.threads}" if governor.threads else ""
    return f"{way}{threads}; {governor.slowdowns} × slower, {governor.recoveries} × faster"


def _frames(governor: GovernorFields) -> str:
    """What it gives way to."""
    if not governor.frames:
        return "no game tells of its frames"
    took, budget = governor.frame_s * 1e3, governor.budget_s * 1e3
    return f"{took:.1f} ms in {budget:.1f} ms, {governor.late_frames} of {governor.frames} late"


def _table(replies: list[RequestFields]) -> Table:
    """What has ended; columns of times are in milliseconds. Whose it was, the server tells no other client."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold cyan")
    for name in ("queue ms", "prefill", "reused", "of", "first", "new", "gap", "longest", "tok/s"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("end", no_wrap=True)
    for reply in replies:
        table.add_row(*(Text(cell) for cell in _cells(reply)))
    return table


def _cells(reply: RequestFields) -> tuple[str, ...]:
    has_gaps = reply.new_tokens > 1
    return (
        *(f"{seconds * 1e3:.1f}" for seconds in (reply.queued_s, reply.prefill_s)),
        str(reply.reused_tokens),
        str(reply.prompt_tokens),
        f"{reply.first_token_s * 1e3:.1f}" if reply.new_tokens else "",
        str(reply.new_tokens),
        *(f"{seconds * 1e3:.1f}" if has_gaps else "" for seconds in (reply.median_gap_s, reply.longest_gap_s)),
        f"{reply.tokens_per_s:.1f}" if has_gaps else "",
        reply.end,
    )
