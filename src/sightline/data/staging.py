"""Folders that appear under their name whole or not at all, also when the writer is killed."""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.dataset_folder import INFO_FILE
from sightline.errors import SightlineError

_COUNTER = itertools.count()


@contextmanager
def folder_written_whole(target: Path, *, overwrite: bool, marker: str = INFO_FILE) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; it becomes ``target`` when the block ends without an error.

    A folder that is replaced is moved aside first and removed last, so at every moment either the old
    dataset or the new one is there whole. What earlier, killed writers left behind is cleared away.
    ``marker`` is what every folder of the kind that is written has in it.

    Raises:
        SightlineError: ``target`` exists and ``overwrite`` is False, or it has no ``marker`` (and so is
            something that nobody meant to replace).
    """
    target = target.absolute()
    check_target(target, overwrite=overwrite, marker=marker)
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(target)
    own = f".{target.name}.{os.getpid()}-{next(_COUNTER)}"
    staging, aside = target.parent / f"{own}.part", target.parent / f"{own}.old"
    try:
        staging.mkdir()  # inside, as a signal may arrive as soon as it is there
        yield staging
        if target.exists():
            target.rename(aside)
        staging.rename(target)
    except BaseException:
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def check_target(target: Path, *, overwrite: bool, marker: str = INFO_FILE) -> None:
    """Refuse to write over what is not an empty folder, or with ``overwrite`` a folder without ``marker``."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise SightlineError(f"{target}: exists and is not a folder; choose another path.")
    if not target.exists() or not any(target.iterdir()):
        return
    if not overwrite:
        raise SightlineError(f"{target}: exists already; choose another path or overwrite it.")
    if not (target / marker).exists():
        kind = "is not a dataset folder" if marker == INFO_FILE else f"has no {marker}"
        raise SightlineError(f"{target}: {kind}, so it is not overwritten; choose another.")


def _clear_leftovers(target: Path) -> None:
    for leftover in target.parent.glob(f".{_escaped(target.name)}.*-*.*"):
        process, _, _ = leftover.name.removeprefix(f".{target.name}.").partition("-")
        if leftover.suffix not in (".part", ".old") or not process.isdecimal():
            continue
        if _is_alive(int(process)):
            continue
        if leftover.suffix == ".old" and not target.exists():
            leftover.rename(target)  # its writer died between moving the old away and the new in
        else:
            shutil.rmtree(leftover, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return True


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
