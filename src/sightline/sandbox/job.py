"""What a sandbox is asked to do and what it answers."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from sightline.sandbox.interpreter import PythonEnvironment
from sightline.sandbox.plan import Plan

OnLine = Callable[[str, str], None]
"""Called with the stream (``stdout`` or ``stderr``) and one line of it, without its line end."""


@dataclass(frozen=True)
class Limits:
    """What a job may use.

    ``time_s``: wall clock, seconds. ``memory_bytes``: of all its processes together, shared memory and
    ``/tmp`` included. ``output_bytes``: growth of code, model, checkpoints and output together.
    ``cpus``: how many it may run on. ``processes``: how many processes and threads it may have at once; by
    default 256 and 64 more for each CPU, enough for data loaders, too few to stop a machine by forking.
    ``grace_s``: seconds between asking it to stop (SIGTERM, at the time limit or when cancelled) and
    ending it.
    """

    time_s: float
    memory_bytes: int
    output_bytes: int
    cpus: int
    processes: int | None = None
    grace_s: float = 5.0

    def __post_init__(self) -> None:
        for name in ("time_s", "memory_bytes", "output_bytes", "cpus", "processes"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"Limits.{name} must be above 0, but is {value}")
        if self.grace_s < 0:
            raise ValueError(f"Limits.grace_s must not be negative, but is {self.grace_s}")

    @property
    def max_processes(self) -> int:
        """``processes``, or what it is by default."""
        return 256 + 64 * self.cpus if self.processes is None else self.processes


@dataclass(frozen=True)
class JobFolders:
    """Where a job's own files lie on the host: one private folder, laid out like ``/opt/ml``."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> "JobFolders":
        """Make ``root`` and the folders in it; what is there already stays."""
        folders = cls(root.resolve())
        for folder in (folders.root, *folders.outputs):
            folder.mkdir(parents=True, exist_ok=True)
        return folders

    @property
    def code(self) -> Path:
        """The job's private copy of the trainer package; its working folder."""
        return self.root / "code"

    @property
    def model(self) -> Path:
        """The model to return."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of the training."""
        return self.root / "checkpoints"

    @property
    def output(self) -> Path:
        """Holds ``artifacts``, ``run`` and ``failure``."""
        return self.root / "output"

    @property
    def artifacts(self) -> Path:
        """All other artifacts."""
        return self.output / "data"

    @property
    def run(self) -> Path:
        """The run directory: metrics and configuration."""
        return self.output / "run"

    @property
    def failure(self) -> Path:
        """A file in which the job may say why it failed."""
        return self.output / "failure"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All folders that a job can write to."""
        return (self.code, self.model, self.checkpoints, self.output, self.artifacts, self.run)


@dataclass(frozen=True)
class Job:
    """One command to run. ``argv[0]`` is looked up on the job's ``PATH``; ``python`` is its interpreter.

    ``variables`` are added to the environment; those of the job contract win. ``gpus`` are indices of
    NVIDIA devices on the host; without any the job sees none.
    """

    id: str
    argv: tuple[str, ...]
    folders: JobFolders
    dataset: Path
    python: PythonEnvironment
    limits: Limits
    variables: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[str, ...] = ()


class Ending(StrEnum):
    """How a job ended: ``succeeded`` with exit code 0, ``failed`` by itself, or stopped by us."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_QUOTA = "output_quota"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Outcome:
    """``exit_code`` is None where a signal ended the command; ``reason`` is one sentence."""

    ending: Ending
    exit_code: int | None
    reason: str
    wall_s: float
    peak_memory_bytes: int | None


class Sandbox(Protocol):
    """Runs jobs one at a time or side by side (from several threads), each under its own limits."""

    @property
    def name(self) -> Literal["namespace", "process"]:
        """The kind of sandbox, as agents offer it."""
        ...

    @property
    def isolated(self) -> bool:
        """Whether code that means harm is kept from the network and from the host's files."""
        ...

    def describe(self) -> str:
        """One line for the job's log: what keeps this job in."""
        ...

    def run(self, job: Job, on_line: OnLine, cancel: threading.Event) -> Outcome:
        """Run ``job`` to its end; when this returns, no process of it is alive.

        Lines come in order within each stream, called from this thread: while ``on_line`` is busy the
        job waits and no limit is looked at, so it should hand the line on and return. Lines longer than
        ``sightline.sandbox.lines.MAX_LINE_BYTES`` are cut. When this process is killed, so is the job.

        Raises SightlineError when the sandbox itself cannot be set up, and what ``on_line`` raises.
        """
        ...

    def execute(self, plan: Plan, limits: Limits, on_line: OnLine, cancel: threading.Event) -> Outcome:
        """Run a plan of one's own making, as ``run`` does with the plan of a job."""
        ...
