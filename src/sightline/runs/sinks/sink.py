"""What a sink is."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sightline.runs.record import RunStatus
from sightline.runs.records import Record


class RunInfo(NamedTuple):
    """The run that a sink is started for.

    ``folder`` is the run directory, below which a sink keeps whatever it writes. ``starts`` counts the
    processes that have written to it, this one included. ``configuration`` is what was logged before.
    """

    name: str
    folder: Path
    starts: int
    configuration: dict[str, Any]


class Sink(Protocol):
    """Takes what a run logs somewhere else.

    `start` is called on the thread that begins the run, everything after it on one thread in the
    background, never two calls at a time. A sink that raises is warned about once and left out from then
    on; the run goes on. Records come in the order they were logged.
    """

    def start(self, run: RunInfo) -> None:
        """The run begins, or goes on after it was interrupted."""
        ...

    def write(self, record: Record) -> None:
        """Take one record; those of an unknown type are passed over."""
        ...

    def flush(self) -> None:
        """Hand on what was held back: called about once a second while there is something new."""
        ...

    def close(self, status: RunStatus) -> None:
        """The run has ended; nothing follows."""
        ...
