"""Why a job ended, in one sentence for its author."""

import errno
import os
import signal
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.sandbox.job import Ending

MAX_FAILURE_CHARACTERS = 500
"""Of what a job writes to its failure file, so much becomes part of the reason."""

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as a shell reports them


@dataclass(frozen=True)
class Stop:
    """That we ended the job, and why."""

    ending: Ending
    reason: str


def explain_end(status: int | None, failure: Path | None) -> str:
    """For a command that ended by itself: ``status`` is its exit code, or minus the signal that ended it."""
    if status is None:
        return "the first process of the sandbox was killed from outside"
    if status == 0:
        return "the command succeeded"
    reason = f"the command exited with code {status}"
    if status < 0:
        reason = f"the command was ended by signal {_signal_name(-status)}"
    text = read_failure(failure) if failure else ""
    return f"{reason}: {text}" if text else reason


def explain_refusal(command: str, message: dict[str, Any]) -> tuple[int | None, str]:
    """(exit code, reason) for a command that could not be executed; ``message`` is from ``inside``."""
    if message["say"] == "broken":
        return None, f"the job could not be started: {message['reason']}"
    if message["error"] in (errno.ENOENT, errno.ENOTDIR):
        return _NOT_FOUND, f"the command '{command}' was not found in the sandbox"
    return _NOT_EXECUTABLE, f"the command '{command}' cannot be executed: {message['reason']}"


def read_failure(path: Path) -> str:
    """The first words of a failure file on one line; '' where there is none.

    The job chose what lies there, so links, pipes and devices are not followed.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return ""
        data = os.read(handle, 4 * MAX_FAILURE_CHARACTERS + 4)
    finally:
        os.close(handle)
    text = "".join(letter if letter.isprintable() else " " for letter in data.decode(errors="replace"))
    text = " ".join(text.split())
    return text if len(text) <= MAX_FAILURE_CHARACTERS else text[:MAX_FAILURE_CHARACTERS] + " …"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
