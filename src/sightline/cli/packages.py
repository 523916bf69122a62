"""From what a user names (a folder or a trainer.zip) to a checked trainer package."""

import re
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import SightlineError


@dataclass(frozen=True)
class Package:
    """A checked ``trainer.zip``: where it is, a name for it, and the names of the files in it."""

    path: Path
    name: str
    files: tuple[str, ...]


def packed(source: Path, name: str | None = None) -> Package:
    """The trainer package in ``source``: a zip is checked, a folder is packed into ``.data/trainers``.

    Raises:
        SightlineError: ``source`` is missing or is no trainer package; the sentence says what it lacks.
    """
    from sightline.trainer_package import check_zip, create_zip, read_zip

    if not source.exists():
        raise SightlineError(f"{source}: does not exist; name a trainer package's folder or zip.")
    name = name or service_name(source.resolve().stem if source.is_file() else source.resolve().name)
    if source.is_file():
        check_zip(source)
        return Package(source, name, tuple(member.name for member in read_zip(source)))
    summary = create_zip(source, Path(".data") / "trainers" / f"{name}.zip")
    return Package(summary.path, name, tuple(file.name for file in summary.files))


def service_name(text: str) -> str:
    """``text`` with what the service does not allow in names replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100] or "trainer"
