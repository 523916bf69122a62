"""Look after the leases: jobs whose agent is gone are queued again or ended."""

import asyncio
import logging
from datetime import datetime

from starlette.concurrency import run_in_threadpool

from sightline.service.core import Core
from sightline.service.store import leases
from sightline.service.wakeups import JOBS, experiment_topic

_log = logging.getLogger(__name__)


def sweep(core: Core) -> list[str]:
    """Give up all leases that have run out; returns the experiments concerned."""
    now = core.now()
    with core.database.read() as session:
        candidates = leases.expired(session, now)
    lost: list[str] = []
    for experiment_id in candidates:
        with core.database.write() as session:
            if leases.lose(session, experiment_id, core.terms, now):
                lost.append(experiment_id)
    for experiment_id in lost:
        core.wakeups.notify(experiment_topic(experiment_id))
    if lost:
        core.wakeups.notify(JOBS)
    return lost


def give_grace(core: Core) -> None:
    """Start all live leases afresh, after a time in which agents could not reach us."""
    with core.database.write() as session:
        leases.give_grace(session, core.terms, core.now())


async def sweep_for_ever(core: Core) -> None:
    """Sweep four times per lease time, at least every second, until cancelled."""
    period = min(1.0, core.settings.lease_s / 4)
    last: datetime = core.now()
    while True:
        await asyncio.sleep(period)
        now = core.now()
        # A laptop that slept or a clock that was set: the agents are not to blame for that gap.
        slept = (now - last).total_seconds() > period + core.settings.lease_s / 2
        last = now
        try:
            await run_in_threadpool(give_grace if slept else sweep, core)
        except Exception:
            _log.exception("sweeping the leases failed; trying again")
