"""A whole run in one file, to hand to somebody else."""

from pathlib import Path

from sightline.archives import extract_zip, list_zip, write_zip
from sightline.engine.checkpoints import SPEC_FILE
from sightline.errors import SightlineError

_MOST_FILES = 1_000_000
_MOST_BYTES = 1 << 42


def pack(run: Path, path: Path) -> None:
    """Write the run directory ``run`` (spec, metrics, checkpoints, model, environment) as a zip file.

    Raises:
        SightlineError: ``run`` is not the directory of a training.
    """
    if not (run / SPEC_FILE).exists():
        raise SightlineError(f"{run}: is not the run directory of a training (it has no {SPEC_FILE}).")
    files = [one for one in run.rglob("*") if one.is_file() and not one.is_symlink()]
    # What begins with a dot is half-written, or held open.
    members = [(one.relative_to(run).as_posix(), one) for one in files if not _is_hidden(one, run)]
    write_zip(path, members, compress=False)


def unpack(path: Path, folder: Path) -> Path:
    """Make the run directory that `pack` wrote to ``path`` again, as ``folder``.

    Raises:
        SightlineError: it is no such file, or ``folder`` has something in it already.
    """
    if SPEC_FILE not in {info.filename for info in list_zip(path, max_files=_MOST_FILES)}:
        raise SightlineError(f"{path}: is not a saved experiment (it has no {SPEC_FILE}).")
    if folder.exists() and any(folder.iterdir()):
        raise SightlineError(f"{folder}: exists already; choose another folder for {path.name}.")
    folder.mkdir(parents=True, exist_ok=True)
    extract_zip(path, folder, max_bytes=_MOST_BYTES, max_files=_MOST_FILES)
    return folder


def _is_hidden(file: Path, run: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(run).parts)
