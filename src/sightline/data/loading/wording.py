"""One sentence for what goes wrong in a user's code, in a worker, or for want of memory."""

import errno
import shutil
import signal
import sysconfig
import traceback
from pathlib import Path

from sightline.data.loading.memory import available_memory
from sightline.errors import SightlineError
from sightline.files import readable_size

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (where torch's workers put what they send)
_LIBRARIES = (
    "<frozen",
    str(Path(__file__).parents[2]),
    *(str(Path(sysconfig.get_path(name))) for name in ("stdlib", "purelib", "platlib")),
)
_LONGEST = 500  # characters of a message: some quote all that they were given
_LESS_MEMORY = "take fewer workers or smaller batches."
_LESS_SHARED = "take fewer workers or smaller batches, or give the container more (docker run --shm-size=2g)."


def described(error: BaseException) -> str:
    """``ValueError: no such label (my_data.py:12 in __getitem__)``: type, message and the place in one line.

    The place is the innermost in code that is not an installed library, if there is one.
    """
    text = " ".join(str(error).split()).rstrip(".")
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    frames = [
        (frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    own = [frame for frame in frames if not frame[0].startswith(_LIBRARIES)]
    named = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if not frames:
        return named
    file, line, function = (own or frames)[-1]
    return f"{named} ({file}:{line} in {function})"


def refuse_full(error: BaseException) -> SightlineError | None:
    """What to say where an error means that memory is full, and None where it means something else."""
    text = str(error)
    if "shared memory" in text or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return SightlineError(
            f"there is no room for a batch in shared memory{_shared_memory()}; {_LESS_SHARED}"
        )
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in text:
        return SightlineError(f"memory ran out while a batch was read ({_free()}); {_LESS_MEMORY}")
    return None


def no_batches(error: BaseException) -> SightlineError:
    """What to say where batches do not come from the workers, for a reason that is not known better."""
    return refuse_full(error) or SightlineError(
        f"the workers give no batches: {described(error)}; try fewer workers, or workers=0."
    )


def death_of_worker(pid: int, number: int) -> SightlineError:
    """What to say of a worker that ended by the signal of that number, or without one (0 and below)."""
    who = f"a worker that reads items (pid {pid}) died"
    if number <= 0:
        why = f" by itself; workers=0 shows where, and if memory is short ({_free()}), {_LESS_MEMORY}"
    elif number == signal.SIGBUS:
        why = f" because shared memory is full{_shared_memory()}; {_LESS_SHARED}"
    elif number == signal.SIGKILL:
        why = f": it was killed, most likely because memory ran out ({_free()}); {_LESS_MEMORY}"
    else:
        why = f" of the signal '{signal.strsignal(number)}'; if a library crashed, workers=0 shows where."
    return SightlineError(f"{who}{why}")


def _free() -> str:
    return f"{readable_size(available_memory())} are free now"


def _shared_memory() -> str:
    try:
        usage = shutil.disk_usage(_SHARED_MEMORY)
    except OSError:
        return ""
    return f" ({_SHARED_MEMORY} has {readable_size(usage.free)} free of {readable_size(usage.total)})"
