"""Several ranks on this machine, started and looked after here."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.distributed import PrefixStore  # pyright: ignore[reportPrivateImportUsage]

from sightline.engine.launchers.children import (
    PASSED_ON,
    begin_run,
    end_run,
    rank_environment,
    rank_module,
    told,
)
from sightline.engine.ranks import FIRST_ATTEMPT, STORE_PORT, failure_in, loopback_store
from sightline.engine.spec import Spec

_GRACE_S = 5.0  # for ranks to end by themselves after another has failed


def train_in_processes(spec: Spec, folder: Path | None, *, resume: bool) -> None:
    """Train with ``spec.launcher.ranks`` processes, which find one another by a store that is kept here.

    Signals are passed on to them. If one dies the others are ended, and the run says so.

    Raises:
        SightlineError: a rank failed or died, or the training was stopped.
    """
    run, ranks = begin_run(spec, folder), spec.launcher.ranks
    store = loopback_store()
    environment = rank_environment(ranks) | {
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        STORE_PORT: str(store.port),
    }
    command = [sys.executable, *rank_module(run, resume=resume)]
    processes: list[subprocess.Popen[bytes]] = []
    killed: set[int] = set()
    try:
        with _signals_passed_on(processes) as asked:
            for rank in map(str, range(ranks)):
                environment |= {"RANK": rank, "LOCAL_RANK": rank}
                # In a session of their own, so that Ctrl-C reaches them once, by way of this process.
                processes.append(
                    subprocess.Popen(
                        command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
                    )
                )
            for number in asked:  # while not all had been started
                _send(processes, number)
            killed = _wait(processes, asked)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    codes = [0 if rank in killed else process.returncode for rank, process in enumerate(processes)]
    end_run(spec, run, codes, asked[-1] if asked else 0, failure_in(PrefixStore(FIRST_ATTEMPT, store)))


def _wait(processes: list[subprocess.Popen[bytes]], asked: list[int]) -> set[int]:
    """Wait for all to end; those that do not, some time after one has failed, are killed and returned."""
    deadline = None
    while running := {rank for rank, process in enumerate(processes) if process.poll() is None}:
        ended = [process.returncode for process in processes if process.returncode is not None]
        if deadline is None and not told(ended, asked=bool(asked)):
            deadline = time.monotonic() + _GRACE_S
        if deadline is not None and time.monotonic() > deadline:
            for rank in running:
                processes[rank].kill()
                processes[rank].wait()
            return running
        time.sleep(0.02)
    return set()


def _send(processes: list[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        process.send_signal(number)  # which does nothing to one that has ended


@contextmanager
def _signals_passed_on(processes: list[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """Inside, every rank is asked to stop when this process is asked to; gives the signals that came."""
    asked: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        asked.append(number)
        _send(processes, number)

    if threading.current_thread() is not threading.main_thread():
        yield asked  # Python allows handlers in the main thread only
        return
    before = {number: signal.getsignal(number) for number in PASSED_ON}
    # What was ignored on purpose, as by nohup, stays ignored.
    taken = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in taken:
        signal.signal(number, pass_on)
    try:
        yield asked
    finally:
        for number in taken:
            signal.signal(number, before[number])
