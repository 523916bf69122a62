"""TensorBoard's event files."""

import io
import json
import math
import os
import socket
from importlib import import_module
from importlib.util import find_spec
from time import time
from types import SimpleNamespace
from typing import IO, Any

from sightline.errors import SightlineError
from sightline.runs.record import RunStatus
from sightline.runs.records import (
    Configuration,
    ConfusionMatrix,
    Histogram,
    Picture,
    Record,
    Rewind,
    Scalar,
    Table,
    Text,
    Video,
)
from sightline.runs.sinks.sink import RunInfo

_MOST_ROWS = 100  # of a table, which TensorBoard shows as text


class TensorBoard:
    """Writes event files below ``tensorboard/`` of the run directory; no server is started, no port opened.

    Show them with ``tensorboard --logdir <run directory>/tensorboard``. All that a run logs is there: tables
    as text (the first 100 rows), videos as animated pictures, settings as the text ``configuration``. A run
    that goes on from a checkpoint hides the steps that are logged anew.

    Raises:
        SightlineError: TensorBoard is not installed.
    """

    def __init__(self) -> None:
        if find_spec("tensorboard") is None:
            raise SightlineError(
                "TensorBoard: it is not installed; install it with pip install 'sightline[tensorboard]'."
            )
        self._stream: IO[bytes] | None = None

    def start(self, run: RunInfo) -> None:
        """Begin a new event file; TensorBoard reads all of a folder as one run."""
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder = run.folder / "tensorboard"
        folder.mkdir(exist_ok=True)
        # TensorBoard reads files in the order of their names, which begin with the time.
        name = f"events.out.tfevents.{int(time()):010d}.{socket.gethostname()}.{os.getpid()}.{run.starts}"
        self._stream = (folder / name).open("wb")
        self._writer = RecordWriter(self._stream)
        self._proto = _messages()
        self._add(time(), file_version="brain.Event:2")
        if run.configuration:
            self.write(Configuration(run.configuration))

    def write(self, record: Record) -> None:
        """Add the record as one event."""
        if isinstance(record, Scalar):
            # Where float32 has no room the nearest it has is an infinity.
            number = record.value if abs(record.value) < 3.4e38 else math.copysign(math.inf, record.value)
            number = number if record.value == record.value else math.nan
            self._summary(record, self._proto.Summary.Value(tag=record.name, simple_value=number))
        elif isinstance(record, Picture | ConfusionMatrix):
            self._image(record, record.file.read_bytes(), *record.pixels.shape[:2])
        elif isinstance(record, Video):
            self._image(record, _gif(record), *record.frames.shape[1:3])
        elif isinstance(record, Histogram):
            self._summary(record, self._proto.Summary.Value(tag=record.name, histo=self._histogram(record)))
        elif isinstance(record, Text):
            self._text(record, record.text)
        elif isinstance(record, Table):
            self._text(record, _markdown(record))
        elif isinstance(record, Configuration):
            # Four spaces make it verbatim.
            lines = json.dumps(record.settings, indent=2, ensure_ascii=False).splitlines()
            self._text(None, "\n".join(f"    {line}" for line in lines))
        elif isinstance(record, Rewind):
            self._add(time(), step=record.step, session_log=self._proto.SessionLog(status=1))

    def flush(self) -> None:
        """Hand the events to the kernel."""
        if self._stream is not None:
            self._stream.flush()

    def close(self, status: RunStatus) -> None:  # noqa: ARG002
        """Close the event file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _image(self, record: Any, encoded: bytes, height: int, width: int) -> None:
        image = self._proto.Summary.Image(
            encoded_image_string=encoded, height=height, width=width, colorspace=3
        )
        self._summary(record, self._proto.Summary.Value(tag=record.name, image=image))

    def _text(self, record: Text | Table | None, text: str) -> None:
        from tensorboard.plugins.text.metadata import create_summary_metadata

        value = self._proto.Summary.Value(
            tag="configuration" if record is None else record.name,
            metadata=create_summary_metadata(display_name="", description=""),
            tensor=self._proto.TensorProto(dtype="DT_STRING", string_val=[text.encode()]),
        )
        self._summary(record, value)

    def _summary(self, record: Any, value: Any) -> None:
        t, step = (time(), 0) if record is None else (record.time, record.step)
        self._add(t, step=step, summary=self._proto.Summary(value=[value]))

    def _histogram(self, record: Histogram) -> Any:
        counts, edges = record.counts.astype(float), record.edges
        centres = (edges[:-1] + edges[1:]) / 2
        return self._proto.HistogramProto(
            min=edges[0],
            max=edges[-1],
            num=counts.sum(),
            sum=(counts * centres).sum(),
            sum_squares=(counts * centres**2).sum(),
            # A bucket ends at its limit; the first, empty one ends where the values begin.
            bucket_limit=edges.tolist(),
            bucket=[0.0, *counts.tolist()],
        )

    def _add(self, t: float, **content: Any) -> None:
        self._writer.write(self._proto.Event(wall_time=t, **content).SerializeToString())


def _messages() -> Any:
    """The protocol buffers that an event file holds."""
    found = {
        "event_pb2": ("Event", "SessionLog"),
        "histogram_pb2": ("HistogramProto",),
        "summary_pb2": ("Summary",),
        "tensor_pb2": ("TensorProto",),
    }
    return SimpleNamespace(
        **{
            name: getattr(import_module(f"tensorboard.compat.proto.{module}"), name)
            for module, names in found.items()
            for name in names
        }
    )


def _gif(record: Video) -> bytes:
    from PIL import Image

    first, *others = (Image.fromarray(frame) for frame in record.frames)
    stream = io.BytesIO()
    duration = max(20, round(1000 / record.fps))  # milliseconds; players slow down what is faster
    first.save(stream, "GIF", save_all=True, append_images=others, duration=duration, loop=0)
    return stream.getvalue()


def _markdown(record: Table) -> str:
    shown = record.frame.head(_MOST_ROWS)
    rows = [shown.columns, ["---"] * shown.width, *shown.rows()]
    lines = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    if record.frame.height > _MOST_ROWS:
        lines.append(f"\nand {record.frame.height - _MOST_ROWS:,} other rows: {record.file.name}")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", "\\|").split())
