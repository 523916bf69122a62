"""Pictures, videos, texts and tables of a run: files below ``media/``, listed in ``media.jsonl``.

A line is ``{"t": <unix seconds>, "name": ..., "kind": ..., "step": ..., "file": <below the run directory>}``;
a confusion matrix also has ``"data"``, the file with its numbers. A file is there, whole, before its line is.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.errors import SightlineError
from sightline.files import written_whole
from sightline.runs.records import ConfusionMatrix, Histogram, Media, Picture, Table, Text, Video

if TYPE_CHECKING:
    import numpy as np

MEDIA_FILE = "media.jsonl"
MEDIA_FOLDER = "media"

_UNSUITABLE = re.compile(r"[^\w.-]+", re.ASCII)
_LONGEST_PART = 60  # characters of a folder's name


class Draft(NamedTuple):
    """An entry whose file is yet to be written: ``make`` gives the record, without its file.

    ``bytes`` is about what it holds in memory until then.
    """

    kind: str
    name: str
    step: int
    bytes: int
    make: Callable[[], Media]


class MediaFiles:
    """Writes the media of one run. One thread writes; the files of an earlier process are continued."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._list = run / MEDIA_FILE
        self._fd = -1
        self._taken: set[str] = set()

    def save(self, draft: Draft) -> Media:
        """Write the draft's file and its line, and return the record, which names the file.

        Raises:
            SightlineError: what was logged cannot be shown, or the files cannot be written.
        """
        self._open()
        record = draft.make()
        stem = self._free_stem(draft.name, draft.step)
        file = self._run / f"{stem}{_SUFFIX[type(record)]}"
        line: dict[str, Any] = {
            "t": round(record.time, 6),
            "name": draft.name,
            "kind": draft.kind,
            "step": draft.step,
            "file": file.relative_to(self._run).as_posix(),
        }
        try:
            if isinstance(record, ConfusionMatrix):
                data = file.with_suffix(".json")
                line["data"] = data.relative_to(self._run).as_posix()
                _write_json(data, {"class_names": record.class_names, "matrix": record.matrix.tolist()})
                record = record._replace(file=file, data=data)
            else:
                record = record._replace(file=file)
            with written_whole(file) as temporary:
                _write(temporary, record)
            os.write(self._fd, json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise SightlineError(f"{file}: cannot be written ({error.strerror}).") from error
        self._taken.add(stem)
        return record

    def size(self) -> int:
        """Bytes of ``media.jsonl``, once they are on the disk."""
        if not self._list.exists():
            return 0
        self._open()
        os.fsync(self._fd)
        return os.fstat(self._fd).st_size

    def rewind(self, size: int) -> None:
        """Cut ``media.jsonl`` back to ``size`` bytes and remove the files that were listed after them."""
        if not self._list.exists():
            return
        self._open()
        kept = {line.get("file") for line in _lines(self._list, 0, size)}
        for line in _lines(self._list, size):
            for file in (line.get("file"), line.get("data")):
                if isinstance(file, str) and file not in kept and _is_ours(file):
                    (self._run / file).unlink(missing_ok=True)
        os.ftruncate(self._fd, size)
        self._taken = _taken(self._list)

    def close(self) -> None:
        """Let go of ``media.jsonl``."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _open(self) -> None:
        if self._fd >= 0:
            return
        try:
            self._fd = os.open(self._list, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            size = os.fstat(self._fd).st_size
            if size and os.pread(self._fd, 1, size - 1) != b"\n":
                os.write(self._fd, b"\n")  # the last writer was cut off within a line
        except OSError as error:
            raise SightlineError(f"{self._list}: cannot be written ({error.strerror}).") from error
        self._taken = _taken(self._list)

    def _free_stem(self, name: str, step: int) -> str:
        """Of files listed earlier none is overwritten; one that no line names was cut off, and is."""
        first = stem = f"{MEDIA_FOLDER}/{safe_name(name)}/{step}"
        number = 2
        while stem in self._taken:
            stem = f"{first}-{number}"
            number += 1
        return stem


def safe_name(name: str) -> str:
    """A path for an entry's name: slashes make folders, and what a path cannot have is left out.

    Names that would meet in one path are told apart by a hash.
    """
    parts = [_UNSUITABLE.sub("-", part).strip("-.")[:_LONGEST_PART] for part in name.split("/")]
    path = "/".join(part for part in parts if part) or "media"
    # Also for file systems that do not tell capital letters from small ones.
    if path != name or path != path.lower():
        path += f"-{hashlib.blake2b(name.encode(), digest_size=3).hexdigest()}"
    return path


def _is_ours(file: str) -> bool:
    parts = Path(file).parts
    return parts[:1] == (MEDIA_FOLDER,) and ".." not in parts


def _taken(path: Path) -> set[str]:
    return {str(Path(line["file"]).with_suffix("")) for line in _lines(path, 0) if "file" in line}


def _lines(path: Path, start: int, end: int | None = None) -> Iterator[dict[str, Any]]:
    with path.open("rb") as stream:
        stream.seek(start)
        data = stream.read() if end is None else stream.read(end - start)
    for raw in data.splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line


_SUFFIX: dict[type, str] = {
    Text: ".txt",
    Histogram: ".json",
    Picture: ".png",
    ConfusionMatrix: ".png",
    Video: ".mp4",
    Table: ".parquet",
}


def _write(path: Path, record: Media) -> None:
    if isinstance(record, Text):
        path.write_text(record.text, encoding="utf-8")
    elif isinstance(record, Histogram):
        _write_json(path, {"edges": record.edges.tolist(), "counts": record.counts.tolist()})
    elif isinstance(record, Table):
        record.frame.write_parquet(path)
    elif isinstance(record, Video):
        _write_video(path, record.frames, record.fps)
    else:
        from PIL import Image

        Image.fromarray(record.pixels).save(path, "PNG")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _write_video(path: Path, frames: "np.ndarray", fps: float) -> None:
    import av
    import numpy as np

    # yuv420p, which every player shows, needs even sides.
    _, height, width, _ = frames.shape
    frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=Fraction(fps).limit_denominator(1000))
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
