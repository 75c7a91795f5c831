"""Runs a soak and judges it: every request must have ended once on the server, and once before its client's eyes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from game_bridge.host import HostedWorld
from game_bridge.message import Limits
from game_bridge.server import BridgeServer
from game_bridge.settings import BridgeSettings
from game_bridge.soak.player import Player, Tally
from game_bridge.soak.scene import make_world

_LIMITS = Limits(heartbeat_s=2.0, idle_s=60.0, reply_timeout_s=60.0)
_SETTLE_S, _LOOK_S = 60.0, 0.05


@dataclass(frozen=True, slots=True)
class Report:
    """Units: seconds. lost and doubled name requests; open_peers counts connections that the server kept for nobody."""

    tally: Tally
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    open_peers: int
    elapsed_s: float

    @property
    def is_clean(self) -> bool:
        """Whether every request ended exactly once and nobody is left."""
        return not (self.lost or self.doubled or self.open_peers)

    def __str__(self) -> str:
        tally = self.tally
        verdict = "exactly one terminal event for every request" if self.is_clean else "BROKEN"
        return "\n".join(
            (
                f"{len(tally.asked)} requests in {self.elapsed_s:.1f} s: {_listed(tally.actions)}",
                f"ends seen by clients: {_listed(tally.outcomes)}",
                f"{len(tally.vanished)} left alone; {tally.bad_frames} bad frames; {tally.refusals} error answers",
                f"lost: {len(self.lost)}  doubled: {len(self.doubled)}  connections left: {self.open_peers}",
                verdict,
            )
        )


async def run_soak(requests: int, clients: int, seed: int, world: HostedWorld | None = None) -> Report:
    """Share the requests among the clients, let them loose, and count.

    Raises: an ExceptionGroup of ConnectionLost when the server is mute.
    """
    tally, ended, started_s = Tally(), Counter[str](), time.perf_counter()
    settings = BridgeSettings(
        address="tcp://127.0.0.1:*",
        allow_anonymous=True,  # players of the bare protocol, on a port that lives as long as this
        limits=_LIMITS,
        max_peers=4 * clients,
        cancel_grace_s=1.0,
    )

    def count(request_id: str, _event: object) -> None:
        ended[request_id] += 1

    async with BridgeServer(world or make_world(), settings, on_ended=count) as server:
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                player = Player(server.address, f"p{number}", f"{seed}/{number}", tally)
                share = requests // clients + (number < requests % clients)
                group.create_task(player.play(share))
        open_peers = await _settle(server)
    return judge(tally, ended, open_peers, time.perf_counter() - started_s)


def judge(tally: Tally, ended: Counter[str], open_peers: int, elapsed_s: float) -> Report:
    """Compare what was asked with what ended, on the server and before each client."""
    stayed = [request_id for request_id in tally.asked if request_id not in tally.vanished]
    lost = {request_id for request_id in tally.asked if not ended[request_id]}
    lost |= {request_id for request_id in stayed if not tally.ends[request_id]}
    doubled = {request_id for request_id in tally.asked if max(ended[request_id], tally.ends[request_id]) > 1}
    return Report(tally, tuple(sorted(lost)), tuple(sorted(doubled)), open_peers, elapsed_s)


async def _settle(server: BridgeServer) -> int:
    """Connections that are still there after many heartbeats have had time to notice that their clients left."""
    give_up_s = time.monotonic() + _SETTLE_S
    while server.peer_count and time.monotonic() < give_up_s:
        await asyncio.sleep(_LOOK_S)
    return server.peer_count


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
