"""Run one job under any back end, as root or as an unprivileged user, whoever runs the tests."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sightline.sandbox import (
    Ending,
    Job,
    JobFolders,
    Limits,
    NamespaceSandbox,
    OnLine,
    Outcome,
    ProcessSandbox,
    PythonEnvironment,
    Sandbox,
    host_environment,
)
from sightline.sandbox.bubblewrap import TOOL as BWRAP
from sightline.sandbox.namespace import why_not
from tests.needs import needs

REPOSITORY = Path(__file__).parents[2]
SYSTEM_PYTHON = Path("/usr/bin/python3")
NAMESPACE_KINDS = ("bubblewrap-root", "bubblewrap-user", "unshare-root", "unshare-user")
KINDS = (*NAMESPACE_KINDS, "process-root", "process-user")
OWN_KINDS = tuple(kind for kind in KINDS if kind.endswith("-root" if os.geteuid() == 0 else "-user"))
LIMITS = Limits(time_s=30, memory_bytes=512 << 20, output_bytes=20 << 20, cpus=1, processes=100, grace_s=1.0)


@dataclass
class Result:
    outcome: Outcome
    lines: list[tuple[str, str]] = field(default_factory=list)

    def text(self, stream: str = "stdout") -> list[str]:
        return [text for name, text in self.lines if name == stream]


class Helper:
    """A process that runs jobs for us as nobody; started when it is first asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, order: str) -> Result:
        if self._process is None:
            self._process = start_helper()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        lines: list[tuple[str, str]] = []
        for line in self._process.stdout:
            answer = json.loads(line)
            if isinstance(answer, dict):
                answer["ending"] = Ending(answer["ending"])
                return Result(Outcome(**answer), lines)
            lines.append((answer[0], answer[1]))
        raise AssertionError(f"the helper died with code {self._process.wait()}")

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()


def start_helper() -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.sandbox.helper"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


@dataclass
class Harness:
    """``kind`` is ``<tool>-<root|user>``; ``root`` a folder that the user of the jobs owns."""

    kind: str
    root: Path
    helper: Helper

    @property
    def tool(self) -> str:
        return self.kind.partition("-")[0]

    @property
    def by_nobody(self) -> bool:
        """The job is run by a helper process that has given up being root."""
        return self.kind.endswith("-user") and os.geteuid() == 0

    @property
    def isolated(self) -> bool:
        return self.tool != "process"

    @property
    def folders(self) -> JobFolders:
        return JobFolders(self.root / "job")

    @property
    def dataset(self) -> Path:
        return self.root / "dataset"

    def job(self, *command: str, script: str | None = None, **changes: object) -> Job:
        """A job for ``command`` or for a Python ``script`` (with the command as its arguments)."""
        folders = JobFolders.create(self.root / "job")
        if script is not None:
            (folders.code / "script.py").write_text(script)
            command = ("python", "script.py", *command)
        self.own()
        variables = changes.pop("variables", {})
        limits = Limits(**(asdict(LIMITS) | changes))  # type: ignore[arg-type]
        return Job("job-1", command, folders, self.dataset, self.python(), limits, variables)  # type: ignore[arg-type]

    def python(self) -> PythonEnvironment:
        return PythonEnvironment(SYSTEM_PYTHON) if self.by_nobody else host_environment()

    def own(self) -> None:
        if self.by_nobody:
            nobody = pwd.getpwnam("nobody")
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)

    def sandbox(self) -> Sandbox:
        return make_sandbox(self.tool)

    def run(
        self,
        *command: str,
        script: str | None = None,
        cancel_after_s: float | None = None,
        **changes: object,
    ) -> Result:
        job = self.job(*command, script=script, **changes)
        if not self.by_nobody:
            return run_here(self.sandbox(), job, cancel_after_s)
        return self.helper.run(self.order(job, cancel_after_s))

    def order(self, job: Job, cancel_after_s: float | None = None) -> str:
        """What the helper process reads: a job as JSON."""
        return json.dumps(
            {
                "tool": self.tool,
                "drop": self.by_nobody,
                "cancel_after_s": cancel_after_s,
                "argv": job.argv,
                "root": str(job.folders.root),
                "dataset": str(job.dataset),
                "limits": asdict(job.limits),
                "variables": dict(job.variables),
            }
        )


def make_sandbox(tool: str) -> Sandbox:
    if tool == "process":
        return ProcessSandbox()
    return NamespaceSandbox("bubblewrap" if tool == "bubblewrap" else "unshare")


def run_here(
    sandbox: Sandbox,
    job: Job,
    cancel_after_s: float | None = None,
    on_line: OnLine | None = None,
) -> Result:
    lines: list[tuple[str, str]] = []
    cancel = threading.Event()
    timer = threading.Timer(cancel_after_s or 0, cancel.set)
    if cancel_after_s is not None:
        timer.start()
    try:
        outcome = sandbox.run(job, on_line or (lambda *line: lines.append(line)), cancel)
    finally:
        timer.cancel()
    return Result(outcome, lines)


@contextmanager
def made(kind: str, helper: Helper) -> Iterator[Harness]:
    """A harness in a folder of its own; skips where this machine cannot have one of this kind."""
    tool, _, user = kind.partition("-")
    if tool != "process":
        program = BWRAP if tool == "bubblewrap" else tool
        needs(program)
        needs(f"a working {program}", why_not("bubblewrap" if tool == "bubblewrap" else "unshare") is None)
    if user == "root":
        needs("root", os.geteuid() == 0)
    elif os.geteuid() == 0:
        needs(str(SYSTEM_PYTHON), SYSTEM_PYTHON.exists())
    root = Path(tempfile.mkdtemp(prefix="sandbox-"))  # pytest's own folders are closed to other users
    try:
        root.chmod(0o755)
        harness = Harness(kind, root, helper)
        harness.dataset.mkdir()
        (harness.dataset / "image.txt").write_text("pixels")
        yield harness
    finally:
        shutil.rmtree(root, ignore_errors=True)


def find_marked(mark: str) -> list[int]:
    """Living processes with ``mark`` in their command line or environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in text:
                found.append(int(folder.name))
    return found
