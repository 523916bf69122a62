"""What a job leaves behind: which files may leave the machine, and sending them."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import SightlineError
from sightline.files import readable_size
from sightline.sandbox import JobFolders

MAX_FILES = 10_000
_LONGEST_NAME = 500  # characters that the service takes


@dataclass(frozen=True)
class Output:
    """A plain file of a job: ``name`` as it is stored (``model/model.safetensors``)."""

    name: str
    file: Path
    size_bytes: int


def collect(folders: JobFolders, quota_bytes: int) -> tuple[list[Output], list[str]]:
    """The files to send, sorted by name, and a sentence for each thing that was left out.

    Links, devices, sockets and pipes stay behind: a link may point at something that was never the job's.

    Raises:
        SightlineError: more files or bytes than allowed.
    """
    outputs: list[Output] = []
    left_out: list[str] = []
    kept = {
        "model": folders.model,
        "checkpoints": folders.checkpoints,
        "data": folders.artifacts,
        "run": folders.run,
    }
    for part, root in kept.items():
        for path in _walk(root):
            name = f"{part}/{path.relative_to(root).as_posix()}"
            status = path.lstat()
            if not _can_be_named(name):
                left_out.append(f"{name[:80]!r} was left out: its name is too long or not plain text.")
            elif stat.S_ISREG(status.st_mode):
                outputs.append(Output(name, path, status.st_size))
            else:
                left_out.append(f"{name} was left out: only plain files are collected, and this is not one.")
    total = sum(output.size_bytes for output in outputs)
    if len(outputs) > MAX_FILES:
        raise SightlineError(
            f"the job left {len(outputs)} files, more than the {MAX_FILES} allowed; pack them into one."
        )
    if total > quota_bytes:
        raise SightlineError(
            f"the job left {readable_size(total)}, more than the {readable_size(quota_bytes)} output quota"
            " of its environment."
        )
    return sorted(outputs, key=lambda output: output.name), left_out


def _can_be_named(name: str) -> bool:
    # Bytes that are not UTF-8 come out of the file system as surrogates, which are not printable.
    return len(name) <= _LONGEST_NAME and name.isprintable()


def _walk(root: Path) -> Iterator[Path]:
    for folder, folder_names, file_names in os.walk(root, followlinks=False):
        here = Path(folder)
        yield from (here / name for name in file_names)
        yield from (here / name for name in folder_names if (here / name).is_symlink())
