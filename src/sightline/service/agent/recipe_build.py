"""Build the dataset of a recipe for a job, in the job's kind of sandbox and under limits."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import sightline
from sightline.client.wire import Lease
from sightline.data.recipes import in_job
from sightline.errors import SightlineError
from sightline.sandbox import Ending, Job, JobFolders, Limits, Sandbox, python_environment
from sightline.sandbox.job import OnLine

_GROWTH = 20  # so many times the size of its sources may a recipe's images take
_ROOM = 1 << 30


def key_of(lease: Lease) -> str:
    """Hex SHA-256 of what decides the outcome: the recipe, its sources' archives, our version."""
    parts = [lease.recipe, [dataset.sha256 for dataset in lease.datasets], sightline.__version__]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def build(
    lease: Lease,
    sources: Sequence[Path],
    target: Path,
    *,
    sandbox: Sandbox,
    folder: Path,
    on_line: OnLine,
    cancel: threading.Event,
) -> None:
    """Build the lease's recipe of the unpacked ``sources`` and move it to ``target``, whole.

    ``folder`` is a private one for the work, removed at the end.

    Raises:
        SightlineError: the recipe cannot be built, or not within the environment's limits.
    """
    last: list[str] = []

    def heard(stream: str, text: str) -> None:
        last[:] = [text]
        on_line(stream, text)

    try:
        folders = JobFolders.create(folder)
        (folders.code / in_job.ORDER_FILE).write_text(json.dumps({"recipe": lease.recipe}), encoding="utf-8")
        inputs = folder / "inputs"
        for number, source in enumerate(sources):
            _link_tree(source, inputs / str(number))
        outcome = sandbox.run(_job(lease, folders, inputs, sandbox, cancel), heard, cancel)
        if outcome.ending is not Ending.SUCCEEDED:
            said = f": {last[0].removeprefix('error: ')}" if last else ""
            raise SightlineError(f"the recipe could not be built ({outcome.reason}){said}")
        (folders.artifacts / in_job.RESULT).rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _job(lease: Lease, folders: JobFolders, inputs: Path, sandbox: Sandbox, cancel: threading.Event) -> Job:
    environment = lease.environment
    python = python_environment.prepare(
        folders.code, folders.root, lambda _stream, _text: None, sandbox=sandbox, cancel=cancel
    )
    size = sum(dataset.size_bytes for dataset in lease.datasets)
    limits = Limits(
        time_s=environment.time_limit_s,
        memory_bytes=environment.ram,
        output_bytes=_GROWTH * size + _ROOM,
        cpus=environment.cpu_count,
    )
    argv = ("python", "-m", in_job.__name__)
    return Job(
        id=f"{lease.experiment_id}-{lease.attempt}-recipe",
        argv=argv,
        folders=folders,
        dataset=inputs,
        python=python,
        limits=limits,
    )


def _link_tree(source: Path, target: Path) -> None:
    """The folder once more, of hard links: a sandbox shows one folder, and links cost no space."""
    shutil.copytree(source, target, copy_function=os.link)
