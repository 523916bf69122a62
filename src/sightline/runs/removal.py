"""Removing run directories, and nothing else."""

import os
import shutil
from pathlib import Path

from sightline.errors import SightlineError
from sightline.runs.listing import Run, find_runs
from sightline.runs.locations import RUN_FILE


def check_removable(run: Run) -> None:
    """Refuse what must stay.

    Raises:
        SightlineError: the run is alive or broken, its folder is reached by a link, or holds more than it:
            a repository, other runs, or the folder in which we stand.
    """
    folder = run.folder
    if folder.is_symlink():
        raise SightlineError(f"{folder}: is a link; name the folder that it points to.")
    if run.record is None or (folder / RUN_FILE).is_symlink():
        reason = run.problem or f"its {RUN_FILE} is a link"
        raise SightlineError(f"{folder}: may hold anything, so remove it by hand: {reason}")
    if run.status == "running":
        raise SightlineError(f"{run.name}: is running; stop it first.")
    whole = folder.resolve()
    if Path.cwd().is_relative_to(whole):
        raise SightlineError(f"{folder}: is where you are; go elsewhere to remove it.")
    if (folder / ".git").exists():
        raise SightlineError(f"{folder}: holds a repository beside the run; remove the run's files by hand.")
    with os.scandir(folder) as entries:
        inside = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    inner = next((run for below in inside for run in find_runs(below)), None)
    if inner is not None:
        raise SightlineError(
            f"{folder}: holds another run ({inner.folder.relative_to(folder)}); remove that first."
        )


def remove(run: Run) -> None:
    """Remove the directory of ``run`` with all that is in it; links in it go, what they point to stays.

    Interrupted, it is removed nevertheless: half a run is of no use to anybody.

    Raises:
        SightlineError: as `check_removable`, or a file cannot be removed.
    """
    check_removable(run)
    doomed = run.folder.with_name(f".{run.folder.name}.removed")
    try:
        run.folder.rename(doomed)  # so that no reader sees half of it
        try:
            shutil.rmtree(doomed)
        except BaseException:
            shutil.rmtree(doomed, ignore_errors=True)
            raise
    except OSError as error:
        raise SightlineError(
            f"{error.filename or run.folder}: cannot be removed ({error.strerror})."
        ) from error


def size_bytes(folder: Path) -> int:
    """Bytes of the files in ``folder``; links count as what they are."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:
                continue
    return total
