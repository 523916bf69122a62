"""Appending to ``metrics.jsonl``: one complete line per write, in the kernel's hands when the call returns.

A line is ``{"t": <unix seconds>, "name": ..., "kind": "scalar"|"metric", "value": <number>, "step": ...}``.
NaN and the infinities, which JSON lacks, are ``null`` with ``"text": "NaN"``, ``"inf"`` or ``"-inf"``.

Killing the process right after a call loses nothing: there is no buffer of ours. (A power cut may: the
kernel's buffers are not flushed, which would cost milliseconds a call.) Threads and forked processes may
write at the same time, because each line is one ``write`` to a file opened for appending.
"""

import contextlib
import errno
import fcntl
import json
import math
import operator
import os
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any, Literal

from sightline.errors import SightlineError
from sightline.runs.records import Scalar

MetricKind = Literal["scalar", "metric"]

MAX_NAME = 200  # characters
MAX_STEP = 2**63 - 1
_EXACT = 2**53  # integers beyond this are not exact as floats, which is what readers store
_MOST_NAMES = 10_000  # kept ready formatted; beyond this they are formatted anew


class MetricsWriter:
    """An open metrics file. ``write`` takes 2 to 3 microseconds.

    While it is open it holds a shared lock on the file, which the kernel lets go when the process dies in
    whatever way: readers tell a live run from a dead one by it.

    ``tell`` is called with each number that was written.
    """

    def __init__(self, path: Path, tell: Callable[[Scalar], None] | None = None) -> None:
        self._path = path
        self._tell = tell
        self._middles: dict[MetricKind, dict[str, str]] = {"scalar": {}, "metric": {}}
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SightlineError(f"{path}: cannot be opened for writing ({error.strerror}).") from error
        # Where the file system has no locks, readers cannot tell that a run has died.
        with contextlib.suppress(OSError):
            fcntl.flock(self._fd, fcntl.LOCK_SH)
        # The last writer may have been cut off within a line; ours must not continue it.
        self._torn = self._ends_within_line()

    def write(self, kind: MetricKind, name: str, value: Any, step: int, t: float | None = None) -> None:
        """Append one line; ``t`` is when the value was logged, by default now.

        Raises:
            SightlineError: a value that is not one number, an empty or over-long name, a step that is not
                an integer of at least 0, a writer already closed, a full disk.
        """
        # This is the hot path: a known name, a float and an int go straight through.
        try:
            middle = self._middles[kind][name]
        except (KeyError, TypeError):
            middle = self._middle(kind, name)
        if type(value) is not float:
            value = one_number(name, value)
        if type(step) is not int or not 0 <= step <= MAX_STEP:
            step = whole_step(name, step)
        if t is None:
            t = time()
        if value - value == 0:
            line = f'{{"t":{t:.6f}{middle}{value!r},"step":{step}}}\n'
        else:
            line = f'{{"t":{t:.6f}{middle}null,"text":"{_text(value)}","step":{step}}}\n'
        data = line.encode("ascii")
        if self._torn:
            data = b"\n" + data
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            raise self._write_error(name, error) from error
        if written != len(data):
            self._torn = True
            raise self._write_error(name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        self._torn = False
        if self._tell is not None:
            self._tell(Scalar(name, value, step, t, kind))

    def check(self, kind: MetricKind, name: str, step: int) -> int:
        """The step as an integer.

        Raises:
            SightlineError: what `write` would refuse in the name or the step, or a writer already closed.
        """
        if self._fd < 0:
            raise self._write_error(name, OSError())
        if name not in self._middles[kind]:
            self._middle(kind, name)
        return step if type(step) is int and 0 <= step <= MAX_STEP else whole_step(name, step)

    def size(self) -> int:
        """Bytes written by all who write to the file, once they are on the disk."""
        os.fsync(self._fd)
        return os.fstat(self._fd).st_size

    def rewind(self, size: int) -> None:
        """Cut the file back to ``size`` bytes."""
        os.ftruncate(self._fd, size)
        self._torn = self._ends_within_line()

    @property
    def closed(self) -> bool:
        """True once nothing can be written any more."""
        return self._fd < 0

    def close(self) -> None:
        """Let go of the file. Calling it again does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _middle(self, kind: MetricKind, name: str) -> str:
        check_name(name)
        middle = f',"name":{json.dumps(name)},"kind":"{kind}","value":'
        if len(self._middles[kind]) < _MOST_NAMES:
            self._middles[kind][str(name)] = middle
        return middle

    def _ends_within_line(self) -> bool:
        size = os.fstat(self._fd).st_size
        return size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    def _write_error(self, name: str, error: OSError) -> SightlineError:
        if self.closed:
            return SightlineError(f"Metric '{name}': the run is closed; log before leaving it.")
        return SightlineError(f"Metric '{name}': {self._path} cannot be written ({error.strerror}).")


def check_name(name: str, what: str = "Metric") -> None:
    """Refuse a name that is empty, longer than 200 characters, or not text.

    Raises:
        SightlineError: it is.
    """
    if not isinstance(name, str):
        raise SightlineError(f"{what} {name!r}: the name must be text, not {_kind(name)}.")
    if not name.strip():
        raise SightlineError(f"{what} {name!r}: the name is empty; give it one, such as 'train/loss'.")
    if len(name) > MAX_NAME:
        raise SightlineError(
            f"{what} '{name[:40]}…': the name has {len(name)} characters; at most {MAX_NAME} are allowed."
        )
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SightlineError(f"{what} {name!r}: the name holds half a character; use text.") from error


def one_number(name: str, value: Any) -> int | float:
    """A Python number for anything that holds exactly one: bool, int, NumPy and torch values, Decimal.

    Raises:
        SightlineError: it does not.
    """
    if isinstance(value, (bool, int)):
        return _integer(name, int(value))
    if isinstance(value, (str, bytes, bytearray)) or value is None or isinstance(value, complex):
        raise SightlineError(f"Metric '{name}': the value {value!r:.60} is {_kind(value)}; log a number.")
    shape = getattr(value, "shape", None)
    if shape is not None and math.prod(shape) != 1:
        raise SightlineError(f"Metric '{name}': the value has shape {tuple(shape)}; log one number.")
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, (bool, int)):
        return _integer(name, int(plain))
    try:
        if isinstance(plain, (str, bytes, complex)):
            raise TypeError
        return float(plain)
    except (TypeError, ValueError) as error:
        raise SightlineError(f"Metric '{name}': the value is {_kind(value)}; log a number.") from error
    except OverflowError as error:
        raise SightlineError(f"Metric '{name}': the value is too large for a 64-bit float.") from error


def _integer(name: str, value: int) -> int | float:
    if -_EXACT <= value <= _EXACT:
        return value
    try:
        return float(value)
    except OverflowError as error:
        raise SightlineError(f"Metric '{name}': the value is too large for a 64-bit float.") from error


def whole_step(name: str, step: Any, what: str = "Metric") -> int:
    """The step as a Python int, from 0 to 2^63-1.

    Raises:
        SightlineError: it is not a whole number, or not in that range.
    """
    if isinstance(step, bool):
        raise SightlineError(f"{what} '{name}': the step is {step}; give its number, such as 100.")
    try:
        plain = operator.index(step)
    except (TypeError, ValueError) as error:
        raise SightlineError(
            f"{what} '{name}': the step {step!r:.60} is {_kind(step)}; give a whole number, such as 100."
        ) from error
    if plain < 0:
        raise SightlineError(f"{what} '{name}': the step is negative; count from 0.")
    if plain > MAX_STEP:
        raise SightlineError(f"{what} '{name}': the step is larger than 2^63-1; give the number of the step.")
    return plain


def _text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "inf" if value > 0 else "-inf"


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
