"""One rank of a training that a launcher started: ``python -m sightline.engine.rank SPEC RUN [--resume]``.

The environment says which rank it is; with ``--slurm`` in the words of Slurm, and it goes on from the
run's latest checkpoint, if there is one, as a job that was put back into the queue has to.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

from sightline.config import load
from sightline.engine.launch import train_here
from sightline.engine.launchers.children import LAUNCHER
from sightline.engine.launchers.slurm import begun_before, take_rank_from_slurm
from sightline.engine.spec import Spec
from sightline.errors import SightlineError

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Train, and exit with the code of what came of it. The launcher says why."""
    words = sys.argv[1:]
    spec, run, on_slurm = Path(words[0]), Path(words[1]), "--slurm" in words
    if on_slurm:
        take_rank_from_slurm()
    else:
        _end_with_launcher()
    try:
        resume = begun_before(run) if on_slurm else "--resume" in words
        train_here(load(Spec, spec), run, resume=resume)
    except SightlineError as error:
        if on_slurm:
            print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _end_with_launcher() -> None:
    """Have the system kill this process when the launcher is gone, however that came."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ[LAUNCHER]):  # gone already
        sys.exit(1)


if __name__ == "__main__":
    main()
