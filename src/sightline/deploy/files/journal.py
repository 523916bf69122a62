"""What has been predicted so far: a hidden file beside the result, from which an interrupted call goes on.

One JSON object a line. The first says what the work is for; then come records, and after those of each file
one that says that the file is done. What follows the last such line was cut off, and is written anew.
"""

import fcntl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from sightline.deploy.files.records import Record
from sightline.deploy.raster.partial import disk_errors
from sightline.errors import SightlineError


class Journal:
    """Open for writing by this process alone, until `close` or the end of its context.

    Args:
        target: the result that the work is for.
        key: what work must have in common to be gone on with: model and settings.

    Raises:
        SightlineError: another process writes it, or the place cannot be written to.
    """

    def __init__(self, target: Path, key: dict[str, Any]) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            self._stream: BinaryIO = self.path.open("a+b", buffering=0)
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._stream.close()
            raise SightlineError(f"{target}: another process is writing it.") from None
        self.done: dict[str, str | None] = {}
        """The files that are done, by their paths, with what was wrong with them."""
        self._added: list[bytes] = []  # lines that are not yet written
        self._length = 0  # with these
        self._end = 0  # of what belongs to files that are done
        self._begin(key)

    def write(self, record: Record) -> None:
        """Add what is said of an image or a frame."""
        self._add(record)

    def finish(self, path: str, problem: str | None) -> None:
        """Take note that a file is done, though maybe not all of it could be read."""
        self._add({"done": path, "problem": problem})
        self._end = self._length
        self.done[path] = problem

    def abandon(self) -> None:
        """Take back what was written of the file at hand."""
        self.flush()
        with disk_errors(self.target):
            self._stream.truncate(self._end)
        self._length = self._end

    def flush(self) -> None:
        """Hand what was added to the disk."""
        content, self._added = b"".join(self._added), []
        with disk_errors(self.target):
            while content:
                content = content[self._stream.write(content) :]

    def records(self) -> Iterator[Record]:
        """All records of files that are done, in the order in which they were written."""
        self.flush()
        with disk_errors(self.target), self.path.open("rb") as stream:
            next(stream)
            for line in stream:
                record = msgspec.json.decode(line)
                if "done" not in record:
                    yield record

    def close(self) -> None:
        """Write what was added and close the file; it stays, to be gone on with."""
        with closing(self._stream) as stream:
            if not stream.closed:
                self.flush()

    def remove(self) -> None:
        """Close and remove the file: the result is there."""
        self.path.unlink(missing_ok=True)
        self._stream.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, key: dict[str, Any]) -> None:
        """Find out what was done for the same ``key``, and cut off what was not finished."""
        first = msgspec.json.encode({"work": key}) + b"\n"
        with disk_errors(self.target):
            self._stream.seek(0)
            lines = iter(self._stream)
            if next(lines, b"") == first:
                self._end = position = len(first)
                for line in lines:
                    position += len(line)
                    if line.startswith(b'{"done":') and line.endswith(b"\n"):
                        finished = msgspec.json.decode(line)
                        self.done[finished["done"]] = finished["problem"]
                        self._end = position
            self._stream.truncate(self._end)
        self._length = self._end
        if not self._end:
            self._add({"work": key})
            self.flush()
            self._end = self._length

    def _add(self, record: Record) -> None:
        line = msgspec.json.encode(record) + b"\n"
        self._added.append(line)
        self._length += len(line)
