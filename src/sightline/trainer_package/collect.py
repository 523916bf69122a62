"""Walking a package folder: what is packed, what is left out and why, and what cannot be packed."""

import os
import re
import stat
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sightline.trainer_package.ignore import REASON_SECRET, IgnoreRules
from sightline.trainer_package.layout import PackedFile

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN = 3  # names that a LeftOut lists when printed
_LARGEST_KEY = 64 << 10  # bytes; a private key is smaller


@dataclass(frozen=True)
class LeftOut:
    """Files and folders of one directory that stay out for one reason. Folders' names end with ``/``."""

    directory: str
    reason: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.names[:_SHOWN])
        more = len(self.names) - _SHOWN
        place = "" if self.directory == "." else f"{self.directory}/: "
        return f"{place}{shown}{f' and {more} more' if more > 0 else ''} ({self.reason})"


@dataclass
class PackageFolder:
    """A folder as it would be packed. ``files`` is sorted by name; ``problems`` are sentences."""

    root: Path
    ignore_file: str | None = None
    files: list[PackedFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @cached_property
    def names(self) -> set[str]:
        """The names of the files to pack."""
        return {file.name for file in self.files}

    def read(self, name: str) -> bytes | None:
        """The bytes of a file to pack, or None when there is none of that name."""
        return (self.root / name).read_bytes() if name in self.names else None


def collect(root: Path, *, output: Path | None = None) -> PackageFolder:
    """Find what to pack below ``root``. ``output``, the zip being made, never packs itself.

    A link to a file within the folder is packed as the file's content. A link that leads out of the
    folder, to a folder, or nowhere is a problem, as are pipes, devices and unreadable files.

    Raises:
        SightlineError: the ignore file is not usable.
    """
    return _Walk(root, output).result()


class _Walk:
    def __init__(self, root: Path, output: Path | None) -> None:
        self._root = root.resolve()
        self._rules = IgnoreRules(self._root)
        self._folder = PackageFolder(root=self._root, ignore_file=self._rules.file)
        self._left_out: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._skipped = {path.resolve() for path in (output, _profiles_file()) if path is not None}

    def result(self) -> PackageFolder:
        self._visit(self._root, "")
        self._folder.files.sort(key=lambda file: file.name)
        self._folder.left_out = [
            LeftOut(directory, reason, tuple(sorted(names)))
            for (directory, reason), names in sorted(self._left_out.items())
        ]
        return self._folder

    def _visit(self, folder: Path, prefix: str) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self._problem(f"{prefix}: the folder cannot be read ({error.strerror}); mend its permissions.")
            return
        for entry in entries:
            name = prefix + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            path = Path(entry.path)
            reason = self._rules.reason(name, is_folder=is_folder)
            if reason is None and is_folder and (path / "pyvenv.cfg").exists():
                reason = "a virtual environment"
            if reason is not None:
                self._leave_out(name, reason, is_folder=is_folder)
            elif is_folder:
                self._visit(path, name + "/")
            else:
                self._add(path, name)

    def _add(self, path: Path, name: str) -> None:
        sentence = _unsuitable_name(name)
        if sentence is not None:
            self._problem(sentence)
            return
        real = path
        if path.is_symlink():
            linked = self._follow(path, name)
            if linked is None:
                return
            real = linked
        if real.resolve() in self._skipped:
            self._leave_out(name, "the zip or the profiles file itself")
            return
        try:
            status = real.stat()
            if not stat.S_ISREG(status.st_mode):
                self._problem(f"{name}: is not a plain file; remove it or add it to the ignore file.")
            elif _holds_private_key(real, status.st_size):
                self._leave_out(name, REASON_SECRET)
            else:
                self._folder.files.append(PackedFile(name, status.st_size))
        except OSError as error:
            self._problem(f"{name}: cannot be read ({error.strerror}); mend its permissions or ignore it.")

    def _follow(self, path: Path, name: str) -> Path | None:
        """The file that a link leads to, or None after saying why it is not packed."""
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise RuntimeError for a loop of links
            self._problem(f"{name}: is a link that leads nowhere; remove it or add it to the ignore file.")
            return None
        if not target.is_relative_to(self._root):
            self._problem(f"{name}: is a link out of the package; copy what it points to into the folder.")
            return None
        if target.is_dir():
            self._problem(f"{name}: is a link to a folder; replace it with the folder itself.")
            return None
        inside = target.relative_to(self._root)
        parents = [parent.as_posix() for parent in inside.parents if parent != Path()]
        reasons = [self._rules.fixed_reason(parent, is_folder=True) for parent in parents]
        reasons.append(self._rules.fixed_reason(inside.as_posix()))
        reason = next((reason for reason in reasons if reason is not None), None)
        if reason is not None:
            self._leave_out(name, f"a link to {inside.as_posix()}: {reason}")
            return None
        return target

    def _leave_out(self, name: str, reason: str, *, is_folder: bool = False) -> None:
        directory, _, last = name.rpartition("/")
        self._left_out[directory or ".", reason].append(_printable(last) + ("/" if is_folder else ""))

    def _problem(self, sentence: str) -> None:
        self._folder.problems.append(_printable(sentence))


def _unsuitable_name(name: str) -> str | None:
    """Names that zip readers on other systems would refuse or change."""
    if "\\" in name or ":" in name.split("/")[0] or _CONTROL.search(name):
        return f"{name!r}: the name holds a character that a package cannot; rename it."
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"{name!r}: the name is not valid UTF-8; rename it."
    return None


def _holds_private_key(path: Path, size: int) -> bool:
    """Also opens every file once, so that an unreadable one is found before packing."""
    with path.open("rb") as stream:
        head = stream.read(100)
    first_line = head.split(b"\n")[0]
    return size <= _LARGEST_KEY and first_line.startswith(b"-----BEGIN ") and b"PRIVATE KEY" in first_line


def _profiles_file() -> Path | None:
    value = os.environ.get("SIGHTLINE_CONFIG")
    return Path(value) if value else None


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
