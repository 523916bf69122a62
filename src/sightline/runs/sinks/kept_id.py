"""The id under which a service knows a run, kept for when the run goes on."""

from collections.abc import Callable
from pathlib import Path

from sightline.files import written_whole

_FILE = "run_id"


def kept_id(folder: Path, make: Callable[[], str]) -> str:
    """The id kept in ``folder``; made, and kept from then on, where there is none."""
    path = folder / _FILE
    if path.exists():
        return path.read_text(encoding="utf-8").strip()
    made = make()
    with written_whole(path) as temporary:
        temporary.write_text(made + "\n", encoding="utf-8")
    return made
