"""What a running job uses: memory where no control group counts it, and room on the disk."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

_LEAST_PER_ENTRY = 1024  # an empty file takes its place in a folder and in the table of files
_TEMPORARY = ("tmp", "dev/shm")


def memory_bytes(processes: list[int], enough: int) -> int:
    """Memory of these processes together. Shared pages count once where the sum exceeds ``enough``.

    The exact figure (PSS) makes the kernel walk all page tables, so it is read only when it matters.
    """
    resident = sum(_resident(process) for process in processes)
    if resident <= enough:
        return resident
    return sum(_proportional(process) for process in processes)


def temporary_bytes(process: int) -> int:
    """What lies in the private ``/tmp`` and ``/dev/shm`` of the sandbox around ``process``."""
    total = 0
    for name in _TEMPORARY:
        with contextlib.suppress(OSError):
            numbers = os.statvfs(f"/proc/{process}/root/{name}")
            total += (numbers.f_blocks - numbers.f_bfree) * numbers.f_frsize
    return total


def _resident(process: int) -> int:
    try:
        fields = Path(f"/proc/{process}/statm").read_bytes().split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def _proportional(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_bytes().splitlines()
    except OSError:
        return _resident(process)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))


class UnmeasurableError(Exception):
    """A folder was made so that its content cannot be counted."""


def folder_bytes(folders: Iterable[Path]) -> int:
    """Room that all files below ``folders`` take: their length or their blocks, whichever is more.

    Links are not followed. What vanishes meanwhile counts nothing. Raises UnmeasurableError for paths
    too long to be followed.
    """
    total = 0
    waiting = [str(folder) for folder in folders]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(folder):
            try:
                numbers = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise UnmeasurableError from error
            total += max(numbers.st_size, numbers.st_blocks * 512, _LEAST_PER_ENTRY)
            if stat.S_ISDIR(numbers.st_mode):
                waiting.append(entry.path)
    return total


def _entries(folder: str) -> Iterator["os.DirEntry[str]"]:
    for attempt in (1, 2):
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except (FileNotFoundError, NotADirectoryError):
            return
        except PermissionError as error:
            if attempt == 2 or not _open_up(folder):
                raise UnmeasurableError from error
        except OSError as error:
            raise UnmeasurableError from error
        else:
            return


def _open_up(folder: str) -> bool:
    """Give ourselves the right to look into a folder that the job has closed. Never through a link."""
    try:
        handle = os.open(folder, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        place = f"/proc/self/fd/{handle}"
        os.chmod(place, stat.S_IMODE(os.stat(place).st_mode) | stat.S_IRWXU)  # noqa: PTH101, PTH116
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def deleted_bytes(processes: list[int], folders: Iterable[Path]) -> int:
    """Room of files that were deleted but are still held open, on the disks of ``folders``."""
    devices = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            devices.add(folder.stat().st_dev)
    sizes: dict[tuple[int, int], int] = {}
    for process in processes:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{process}/fd") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    numbers = entry.stat()
                    if numbers.st_nlink == 0 and numbers.st_dev in devices and stat.S_ISREG(numbers.st_mode):
                        sizes[numbers.st_dev, numbers.st_ino] = numbers.st_blocks * 512
    return sum(sizes.values())


def make_ours(folders: Iterable[Path]) -> None:
    """After the job: real folders in every place, and all in them readable and writable by us.

    A job without isolation may have put a link where a folder was; whoever collects its outputs would
    follow it.
    """
    for folder in folders:
        if folder.is_symlink() or not folder.is_dir():
            folder.unlink(missing_ok=True)
            folder.mkdir(parents=True, exist_ok=True)
        _add_owner_rights(folder, stat.S_IRWXU)
        for parent, names, files in os.walk(folder):
            for name in names:
                _add_owner_rights(Path(parent, name), stat.S_IRWXU)
            for name in files:
                _add_owner_rights(Path(parent, name), stat.S_IRUSR | stat.S_IWUSR)


def _add_owner_rights(path: Path, rights: int) -> None:
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and mode & rights != rights:
            path.chmod(stat.S_IMODE(mode) | rights)
