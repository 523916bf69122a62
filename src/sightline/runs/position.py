"""Where in its logs a checkpoint was made."""

from collections.abc import Mapping
from pathlib import Path

from sightline.errors import SightlineError
from sightline.runs.metrics_file import scan_metrics

_TAIL = 1 << 20  # bytes


def check_position(run: Path, position: Mapping[str, int], now: Mapping[str, int]) -> None:
    """Refuse a position that the logs of ``run``, which are ``now`` so long, cannot be cut back to.

    Raises:
        SightlineError: a log is shorter, or was not at the end of a line there.
    """
    for file, length in now.items():
        size = position.get(file)
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise SightlineError(f"rewind: the position {dict(position)!r:.80} has no length of {file}.")
        if size > length:
            raise SightlineError(
                f"{run / file}: has {length:,} bytes, and had {size:,} when the checkpoint was made; "
                "is the checkpoint of another run?"
            )
        if size and not _ends_line(run / file, size):
            raise SightlineError(
                f"{run / file}: no line ends at byte {size:,}, where the checkpoint was made; "
                "is the checkpoint of another run?"
            )


def last_step(metrics: Path) -> int:
    """The highest step among the last lines of a metrics file; -1 where it is empty."""
    size = metrics.stat().st_size
    points = scan_metrics(metrics, max(0, size - _TAIL), _TAIL).points
    return max((point["step"] for point in points), default=-1)


def _ends_line(path: Path, size: int) -> bool:
    with path.open("rb") as stream:
        stream.seek(size - 1)
        return stream.read(1) == b"\n"
