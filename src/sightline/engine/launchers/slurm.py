"""A training as a job of Slurm, which goes on by itself after it was preempted or its time ran out."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from sightline.config import to_yaml
from sightline.engine.checkpoints import SPEC_FILE, checkpoints_in
from sightline.engine.launchers.children import begin_run
from sightline.engine.launchers.staging import staged
from sightline.engine.signals import EXIT_PREEMPTED
from sightline.engine.spec import Spec
from sightline.errors import SightlineError
from sightline.files import written_whole
from sightline.runs.locations import find_locations

SCRIPT = "job.sh"
_PORTS = 20000, 40000  # from and up to
# Ranks leave together, but each takes its own time to end; one that was killed meanwhile, as the first had
# ended, would turn the exit code that says "again" into another.
_UNHURRIED = "--kill-on-bad-exit=0 --wait=60"


def submit(spec: Spec, folder: Path | None) -> None:
    """Queue the training of ``spec``, with the code as it is now; print the job's number and run directory.

    The run directory gets ``job.sh``, ``spec.yaml``, ``code/`` and ``job-<number>.log``. The tasks of an
    array have run directories of their own below it, named by their numbers.

    Raises:
        SightlineError: Slurm is not here, or refuses the job; or a part of the spec cannot be imported.
    """
    run = begin_run(spec, folder)
    spec = staged(spec, run / "code")
    with written_whole(run / SPEC_FILE) as staging:
        staging.write_text(to_yaml(spec), encoding="utf-8")
    script = run / SCRIPT
    with written_whole(script) as staging:
        staging.write_text(_script(spec, run), encoding="utf-8")
    try:
        done = subprocess.run(["sbatch", "--parsable", script], capture_output=True, text=True)
    except OSError as error:
        raise SightlineError(f"launcher.kind: slurm needs the program sbatch ({error.strerror}).") from error
    if done.returncode:
        reason = " ".join(done.stderr.removeprefix("sbatch: error: ").split())
        raise SightlineError(f"launcher.slurm: sbatch refuses {script} ({reason}).")
    job = done.stdout.split(";")[0].strip()
    print(f"job {job}: {run}")


def take_rank_from_slurm() -> None:
    """Set the variables that `join_ranks` reads by those that ``srun`` gives each of its tasks."""
    rank, size, local = (os.environ[f"SLURM_{name}"] for name in ("PROCID", "NTASKS", "LOCALID"))
    # Nodes are listed as node[3-5,8]; the first one has rank 0, and the job's number makes the port its own.
    first = os.environ["SIGHTLINE_FIRST_NODE"]
    on_one = os.environ["SLURM_NNODES"] == "1"
    begin, end = _PORTS
    os.environ |= {
        "RANK": rank,
        "WORLD_SIZE": size,
        "LOCAL_RANK": local,
        "LOCAL_WORLD_SIZE": size if on_one else os.environ["SLURM_NTASKS_PER_NODE"],
        "MASTER_ADDR": "127.0.0.1" if on_one else first,
        "MASTER_PORT": str(begin + int(os.environ["SLURM_JOB_ID"]) % (end - begin)),
    }


def begun_before(run: Path) -> bool:
    """Whether there is a checkpoint to go on from."""
    return bool(checkpoints_in(find_locations(None, run).checkpoints))


def _script(spec: Spec, run: Path) -> str:
    launcher = spec.launcher
    options: dict[str, str | int] = {
        "job-name": spec.name,
        "nodes": launcher.nodes,
        "ntasks-per-node": launcher.ranks,
        "output": f"{run}/job-%A.log",
        "open-mode": "append",  # as it may be queued again
        "chdir": str(Path.cwd()),
        "signal": "USR1@60",
    } | {key.replace("_", "-"): value for key, value in launcher.slurm.items()}
    is_array = "array" in options
    if is_array and "output" not in launcher.slurm:
        options["output"] = f"{run}/job-%A-%a.log"
    modules = os.pathsep.join([str(run / "code"), *(path for path in sys.path if path)])
    threads = 'OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}"'
    rank = ["-P", "-m", "sightline.engine.rank", str(run / SPEC_FILE)]
    directory = shlex.quote(str(run)) + ("/$SLURM_ARRAY_TASK_ID" if is_array else "")
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH --{key}={_quoted(str(value))}" for key, value in options.items()),
            f"export PYTHONPATH={shlex.quote(modules)}",
            f"export {threads}",
            'export SIGHTLINE_FIRST_NODE="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"',
            f"mkdir -p {directory}",
            f"srun {_UNHURRIED} {shlex.join([sys.executable, *rank])} {directory} --slurm",
            "code=$?",
            "# Its state is saved: on with it, as soon as there is room (and not after `scancel`).",
            f"if [ $code -eq {EXIT_PREEMPTED} ]; then",
            '  scontrol requeue "$SLURM_JOB_ID"',
            "fi",
            "exit $code",
            "",
        ]
    )


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value
