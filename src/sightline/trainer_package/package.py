"""Making, checking, listing and unpacking trainer packages."""

import shutil
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from sightline.archives import extract_zip, list_zip, write_zip
from sightline.errors import SightlineError
from sightline.trainer_package.checks import package_problems
from sightline.trainer_package.collect import LeftOut, PackageFolder, collect
from sightline.trainer_package.layout import MAX_PACKAGE_BYTES, MAX_PACKAGE_FILES, PackedFile

_LARGEST_READ = 4 << 20  # bytes of one member that a check looks at


@dataclass(frozen=True)
class PackageSummary:
    """A package that was made: the zip, its hash and size in bytes, what is in it and what is not."""

    path: Path
    sha256: str
    files: list[PackedFile]
    size_bytes: int
    left_out: list[LeftOut] = field(default_factory=list)


def inspect_folder(path: Path) -> PackageFolder:
    """What would be packed from a folder, what would be left out and why, and every problem.

    Raises:
        SightlineError: there is no such folder, or its ignore file is not usable.
    """
    return _inspect(path, output=None)


def check_folder(path: Path) -> list[str]:
    """One sentence for each thing that is wrong with the package in a folder; empty when it is sound."""
    try:
        return inspect_folder(path).problems
    except SightlineError as error:
        return [str(error)]


def create_zip(source: Path, output: Path) -> PackageSummary:
    """Pack the folder ``source`` as ``output``. The same tree gives the same bytes, wherever and whenever.

    Raises:
        SightlineError: with a line for each problem; ``output`` is then left as it was.
    """
    folder = _inspect(source, output=output)
    _refuse(folder.problems)
    members = [(file.name, (folder.root / file.name).resolve()) for file in folder.files]
    try:
        # Not compressed, because compressors differ between versions and the hash must not.
        sha256 = write_zip(output, members, compress=False)
    except OSError as error:
        raise SightlineError(f"{error.filename or output}: cannot be packed ({error.strerror}).") from error
    return PackageSummary(output, sha256, folder.files, output.stat().st_size, folder.left_out)


def read_zip(path: Path) -> list[PackedFile]:
    """The files of a package, sorted by name.

    Raises:
        SightlineError: not a zip, or one with members that are not safe to unpack.
    """
    infos = list_zip(path, max_files=MAX_PACKAGE_FILES)
    return sorted((PackedFile(info.filename, info.file_size) for info in infos), key=lambda file: file.name)


def list_names(path: Path) -> list[str]:
    """The names of a package's files, sorted, as `parse_command` wants them. Raises as `read_zip`."""
    return [file.name for file in read_zip(path)]


def check_zip(path: Path) -> None:
    """Check a package that somebody made elsewhere, without unpacking or running any of it.

    Raises:
        SightlineError: with a line for each thing that is wrong.
    """
    files = read_zip(path)
    sizes = {file.name: file.size for file in files}
    with zipfile.ZipFile(path) as archive:

        def read(name: str) -> bytes | None:
            if name not in sizes:
                return None
            try:
                with archive.open(name) as member:
                    return member.read(_LARGEST_READ)
            except Exception as error:  # whatever the damage leads to
                raise SightlineError(
                    f"{path}: '{name}' cannot be unpacked ({error}); make the zip again."
                ) from error

        _refuse(package_problems(files, read), path)


def extract_package(path: Path, folder: Path) -> None:
    """Unpack a package into ``folder``, which must not exist yet or be empty: all of it, or nothing.

    Raises:
        SightlineError: the zip is damaged or not safe, or passes the limits; or the folder is in use.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SightlineError(f"{folder}: is not empty; unpack the package into a new folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        aside.chmod(0o755)
        extract_zip(path, aside, max_bytes=MAX_PACKAGE_BYTES, max_files=MAX_PACKAGE_FILES)
        aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _inspect(path: Path, output: Path | None) -> PackageFolder:
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise SightlineError(f"{path}: {what}; give the folder that holds Dockerfile and scripts/.")
    folder = collect(path, output=output)
    problems = package_problems(folder.files, folder.read)
    folder.problems += [_explained(problem, folder) for problem in problems]
    return folder


def _explained(problem: str, folder: PackageFolder) -> str:
    """Where something is missing only because a rule leaves it out, say which rule."""
    subject = problem.split(" ")[0].rstrip("/")
    for left in folder.left_out:
        names = {name.rstrip("/") for name in left.names}
        missing = " is missing" in problem
        if missing and ((left.directory == "." and subject in names) or left.directory == subject):
            return f"{problem.rstrip('.')} (left out: {left})."
    return problem


def _refuse(problems: list[str], path: Path | None = None) -> None:
    if problems:
        prefix = f"{path}: " if path else ""
        raise SightlineError("\n".join(prefix + problem for problem in problems))
