"""Finding run directories, and which of them somebody means."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sightline.errors import SightlineError
from sightline.runs.locations import (
    ENVIRONMENT_FILE,
    METRICS_FILE,
    METRICS_TABLE,
    RUN_FILE,
)
from sightline.runs.record import RunRecord, read_record

LAST = "last"
BROKEN = "broken"

_RUN_FILES = (
    RUN_FILE,
    METRICS_FILE,
    METRICS_TABLE,
    ENVIRONMENT_FILE,
)  # that any run leaves; most likely first
_MADE_BY_A_RUN = re.compile(r"\d{8}-\d{6}-.+")
_DEEPEST = 3  # folders of folders of runs, such as a sweep's
_MOST_NAMED = 5  # candidates in a sentence


@dataclass(frozen=True)
class Run:
    """A run directory: ``name`` as people say it, and its ``record``, or the ``problem`` that it has none."""

    name: str
    folder: Path
    record: RunRecord | None
    problem: str | None = None

    @property
    def status(self) -> str:
        """Its record's status, or ``broken``."""
        return self.record.status if self.record else BROKEN

    @property
    def resumed(self) -> bool:
        """Whether more than one process has written to it."""
        return self.record is not None and self.record.starts > 1

    @property
    def started(self) -> datetime:
        """When it started; of a broken one, when its folder was last changed."""
        if self.record:
            return self.record.started
        try:
            return datetime.fromtimestamp(self.folder.lstat().st_mtime, UTC)
        except OSError:
            return datetime.fromtimestamp(0, UTC)

    @property
    def duration_s(self) -> float | None:
        """Seconds from its first start to its end, to now where it goes on, and to the last metric where
        it was killed."""
        if self.record is None:
            return None
        end = self.record.ended
        if end is None and self.record.status == "running":
            end = datetime.now(UTC)
        if end is None:
            try:
                end = datetime.fromtimestamp((self.folder / METRICS_FILE).stat().st_mtime, UTC)
            except OSError:
                return None
        return max(0.0, (end - self.record.started).total_seconds())


def find_runs(folder: Path) -> list[Run]:
    """The runs in ``folder`` and in folders of runs below it, or ``folder`` itself where it is one; newest
    first.

    What a run has begun but no record tells of is there too, as broken, behind the others.

    Raises:
        SightlineError: ``folder`` cannot be read.
    """
    found = list(_read(_run_folders(folder)))
    return sorted(found, key=_newest_last, reverse=True)


def find_named(texts: Sequence[str], folder: Path) -> list[Run]:
    """The runs that ``texts`` stand for, each once: a path, the name of one in ``folder``, what only one
    name begins with or has in it, or ``last`` for the one that started last.

    Raises:
        SightlineError: a text stands for none, or for several; the sentence names some.
    """
    names = dict(_run_folders(folder)) if folder.is_dir() else {}
    chosen: dict[Path, Run] = {}
    for text in texts:
        name, path = _named(text, names, folder)
        chosen.setdefault(path.resolve(), next(_read([(name, path)])))
    return _told_apart(list(chosen.values()))


def _newest_last(run: Run) -> tuple[bool, datetime, str]:
    return run.record is not None, run.started, run.name


def _named(text: str, names: dict[str, Path], folder: Path) -> tuple[str, Path]:
    if text in names:
        return text, names[text]
    path = Path(text)
    if text not in ("", LAST) and path.is_dir():
        if _has_run_files(path):
            return path.absolute().name, path
        if os.sep in text or text in (".", ".."):
            raise SightlineError(f"{text}: is not a run directory (it has no {RUN_FILE}).")
    if not names:
        raise SightlineError(f"there is no run '{text}': {folder} has none; name another folder.")
    if text == LAST:
        newest = max(_read(names.items()), key=_newest_last)
        return newest.name, newest.folder
    for fits in (str.startswith, str.__contains__):
        found = [name for name in sorted(names) if text and fits(name, text)]
        if len(found) == 1:
            return found[0], names[found[0]]
        if found:
            raise SightlineError(
                f"'{text}' is in the names of {len(found)} runs ({_some(found)}); give more of it."
            )
    raise SightlineError(f"there is no run '{text}' in {folder}; there are {_some(_close(text, names))}.")


def _close(text: str, names: Iterable[str]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(text, list(names), n=_MOST_NAMED, cutoff=0.3) or sorted(names, reverse=True)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else shown


def _told_apart(runs: list[Run]) -> list[Run]:
    """Runs of one name in different folders are called by their paths."""
    names = [run.name for run in runs]
    return [replace(run, name=str(run.folder)) if names.count(run.name) > 1 else run for run in runs]


def _read(folders: Iterable[tuple[str, Path]]) -> Iterator[Run]:
    for name, folder in folders:
        try:
            yield Run(name, folder, read_record(folder))
        except SightlineError as error:
            reason = str(error).removeprefix(f"{folder}: ").removeprefix(f"{folder}/")
            yield Run(name, folder, None, reason)


def _run_folders(folder: Path) -> Iterator[tuple[str, Path]]:
    if _has_run_files(folder):
        yield folder.absolute().name, folder
        return
    yield from _below(folder, "", _DEEPEST)


def _below(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        # Links are not followed: they may lead round in circles, and out of the folder.
        found = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    for name in found:
        path = folder / name
        if name.startswith("."):
            continue
        if _has_run_files(path) or _MADE_BY_A_RUN.fullmatch(name):
            yield prefix + name, path
        elif depth > 1:
            try:
                yield from _below(path, f"{prefix}{name}/", depth - 1)
            except PermissionError:
                continue


def _has_run_files(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _RUN_FILES)
