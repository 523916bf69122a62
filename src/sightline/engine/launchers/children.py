"""What the launchers share: how a rank is started, and what is said and recorded when ranks have ended."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from sightline.config import to_yaml
from sightline.engine.checkpoints import SPEC_FILE
from sightline.engine.ranks import LostRankError
from sightline.engine.signals import EXIT_INTERRUPTED, EXIT_PREEMPTED
from sightline.engine.spec import Spec
from sightline.errors import SightlineError
from sightline.files import written_whole
from sightline.runs.locations import RUN_FILE, find_locations
from sightline.runs.record import RunRecord, RunStatus, read_record, write_record

LAUNCHER = "SIGHTLINE_LAUNCHER"  # the launcher's process id, for the ranks
PASSED_ON = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_BY_SIGNAL = {-number for number in PASSED_ON}
_STOPPED = {EXIT_PREEMPTED, EXIT_INTERRUPTED}


def begin_run(spec: Spec, folder: Path | None) -> Path:
    """Make the run directory, with the spec in it for the ranks to read."""
    run = find_locations(spec.name, folder).run
    with written_whole(run / SPEC_FILE) as staging:
        staging.write_text(to_yaml(spec), encoding="utf-8")
    return run


def rank_module(run: Path, *, resume: bool) -> list[str]:
    """What is given to ``python`` to be a rank: a module and its arguments."""
    return ["-m", "sightline.engine.rank", str(run / SPEC_FILE), str(run), *(["--resume"] if resume else [])]


def rank_environment(ranks: int) -> dict[str, str]:
    """The environment of ``ranks`` processes on this machine: an equal share of the CPU's threads for each,
    and modules are found where they are here."""
    return os.environ | {
        LAUNCHER: str(os.getpid()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // ranks))),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }


def told(codes: Sequence[int], *, asked: bool) -> bool:
    """Whether the ranks that ended did so because they were asked to stop, by a signal that came here
    (``asked``) or to them."""
    return all(code == 0 or code in _STOPPED or (asked and code in _BY_SIGNAL) for code in codes)


def end_run(
    spec: Spec, run: Path, codes: Sequence[int], asked: int = 0, failure: dict[str, Any] | None = None
) -> None:
    """Raise what the exit codes of the ranks mean, and have ``run.json`` say it too.

    Args:
        codes: of all ranks in order, negative for a signal, as `subprocess` has them.
        asked: the signal by which the ranks were asked to stop.
        failure: what `failure_in` says.

    Raises:
        SightlineError: a rank failed or died, or the training was stopped.
    """
    if not any(codes):
        return
    if told(codes, asked=bool(asked)):
        interrupted = asked == signal.SIGINT or EXIT_INTERRUPTED in codes
        code = EXIT_INTERRUPTED if interrupted else EXIT_PREEMPTED
        record = read_record(run) if (run / RUN_FILE).exists() else None
        if record is not None and record.error and record.exit_code == code:  # the main rank has said it
            raise _error(record.error, code)
        name = signal.Signals(asked or signal.SIGTERM).name
        _raise(spec, run, "interrupted", f"stopped by {name} before there was anything to save.", code)
    if failure is not None:
        _raise(spec, run, "failed", f"rank {failure['rank']}: {failure['error']}")
    # Those that lost another, or that torchrun then ended by SIGTERM, did not begin it if any other did.
    for consequences in ({0, LostRankError.exit_code, -signal.SIGTERM}, {0, LostRankError.exit_code}, {0}):
        ends = [_end(rank, code) for rank, code in enumerate(codes) if code not in consequences]
        if ends:
            _raise(spec, run, "failed", f"{' and '.join(ends)}.")


def _end(rank: int, code: int) -> str:
    if code == -signal.SIGKILL:
        return f"rank {rank} was killed by SIGKILL, as the system does when memory runs out"
    if code < 0:
        return f"rank {rank} was killed by {signal.Signals(-code).name}"
    if code == LostRankError.exit_code:
        return f"rank {rank} lost the connection to the others"
    return f"rank {rank} ended with exit code {code}"


def _raise(spec: Spec, run: Path, status: RunStatus, sentence: str, code: int = 1) -> NoReturn:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    if (run / RUN_FILE).exists():
        record = read_record(run)
    else:  # the main rank did not come so far
        record = RunRecord(name=spec.name, status=status, started_at=now, command=sys.argv)
    write_record(run, replace(record, status=status, ended_at=now, exit_code=code, error=sentence))
    raise _error(sentence, code)


def _error(sentence: str, code: int) -> SightlineError:
    error = SightlineError(sentence)
    error.exit_code = code
    return error
