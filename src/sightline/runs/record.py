"""``run.json``: what became of a run. Written when it starts and, once, when it ends."""

import fcntl
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sightline.errors import SightlineError
from sightline.runs.json_file import read_json, write_json
from sightline.runs.locations import METRICS_FILE, RUN_FILE

RunStatus = Literal["running", "succeeded", "failed", "interrupted"]


@dataclass(frozen=True)
class RunRecord:
    """One run. Times are ISO 8601 in UTC.

    ``exit_code`` is None while the run goes on and where it cannot be known; ``error`` is the last line of
    the traceback of a failed run; ``starts`` counts how often the directory was written to by a new
    process; ``git`` is ``{"commit", "branch", "dirty"}``, or None outside a repository.
    """

    name: str
    status: RunStatus
    started_at: str
    ended_at: str | None = None
    exit_code: int | None = None
    error: str | None = None
    pid: int = 0
    host: str = ""
    starts: int = 1
    command: list[str] = field(default_factory=list)
    git: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def started(self) -> datetime:
        """``started_at`` as a time that knows its zone."""
        return _moment(self.started_at)

    @property
    def ended(self) -> datetime | None:
        """``ended_at`` as a time that knows its zone; None while the run goes on and where it was killed."""
        return None if self.ended_at is None else _moment(self.ended_at)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.json``; readers see the old one or the new one, whole."""
    write_json(folder / RUN_FILE, asdict(record))


def read_record(folder: Path) -> RunRecord:
    """The record of the run in ``folder``, as it is now. Keys that are not known here are passed over.

    A run that is recorded as running but whose process is gone (killed, power lost) comes back with
    status ``interrupted``. That needs a file system with locks; on one without, it stays ``running``.

    Raises:
        SightlineError: there is no ``run.json``, or it is not what a run writes.
    """
    import msgspec

    path = folder / RUN_FILE
    try:
        raw = read_json(path)
    except FileNotFoundError as error:
        raise SightlineError(f"{folder}: is not a run directory (it has no {RUN_FILE}).") from error
    try:
        record = msgspec.convert(raw, RunRecord)
        _ = record.started, record.ended
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise SightlineError(f"{path}: is not what a run writes ({_shortened(str(error))}).") from error
    if record.status == "running" and _writer_is_gone(folder):
        return replace(record, status="interrupted")
    return record


def _shortened(reason: str) -> str:
    return reason.replace("Object missing", "missing").replace(" - at `$.", " in `")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _writer_is_gone(folder: Path) -> bool:
    """True when no process holds the metrics file: each writer has it locked for as long as it lives.

    Unlike asking for the process id, this also holds across containers and after the id was reused.
    """
    try:
        fd = os.open(folder / METRICS_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # a writer makes it before anything else
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # held by a live writer, or a file system without locks
    else:
        return True
    finally:
        os.close(fd)
