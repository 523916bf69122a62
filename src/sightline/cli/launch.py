"""One job in the sandbox of this machine, without a service."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sightline.cli.output import note, printable, say
from sightline.cli.packages import packed
from sightline.dataset_folder import INFO_FILE
from sightline.errors import SightlineError

_OUTPUT_BYTES = 50 << 30


def launch(
    command: str,
    dataset: str,
    trainer: Path,
    *,
    sandbox: str | None,
    output: Path | None,
    time_limit_s: float,
) -> None:
    """Run ``command`` of the package ``trainer`` on a dataset, given by its folder or its name.

    Raises:
        SightlineError: package, command, dataset or sandbox are not usable, or the job did not succeed.
        KeyboardInterrupt: Ctrl-C, after the job has been stopped.
    """
    import psutil

    from sightline.sandbox import Ending, Job, JobFolders, Limits, choose
    from sightline.sandbox.python_environment import prepare
    from sightline.trainer_package import extract_package, parse_command

    package = packed(trainer)
    argv = parse_command(command, package.files)
    data = _dataset_folder(dataset)
    chosen = choose([sandbox] if sandbox else None)
    root = output or Path(".data") / "launches" / datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S-%f")
    if root.exists() and any(root.iterdir()):
        raise SightlineError(f"{root}: is not empty; choose another --output.")
    folders = JobFolders.create(root)
    extract_package(package.path, folders.code)

    def on_line(_stream: str, text: str) -> None:
        say(printable(text))

    note(f"[sightline] {chosen.describe()}")
    python = prepare(folders.code, _environments(), on_line, sandbox=chosen)
    job = Job(
        id=root.name,
        argv=tuple(argv),
        folders=folders,
        dataset=data.resolve(),
        python=python,
        limits=Limits(
            time_s=time_limit_s,
            memory_bytes=psutil.virtual_memory().total,
            output_bytes=_OUTPUT_BYTES,
            cpus=len(os.sched_getaffinity(0)),
        ),
        gpus=_gpus(),
    )
    with _cancelled_by_interrupt() as cancel:
        outcome = chosen.run(job, on_line, cancel)
    note(f"[sightline] {outcome.ending.value} in {outcome.wall_s:.1f} s; results in {root}")
    if outcome.ending is Ending.CANCELLED:
        raise KeyboardInterrupt
    if outcome.ending is not Ending.SUCCEEDED:
        raise SightlineError(f"'{command}' did not succeed: {outcome.reason}")


def _dataset_folder(dataset: str) -> Path:
    """The folder that ``dataset`` is, or the sample of that name (downloaded where it is missing).

    Only what has a slash in it is a folder, so that a name means the same wherever one stands.
    """
    if "/" in dataset:
        if not (Path(dataset) / INFO_FILE).is_file():
            raise SightlineError(f"{dataset}: is no dataset; it has no {INFO_FILE}.")
        return Path(dataset)
    from sightline.data.named import LOCAL_DATASETS, fetch_sample

    folder = LOCAL_DATASETS / dataset
    fetch_sample(dataset, None, folder)
    return folder


def _environments() -> Path:
    """Where Python environments of packages are kept, to be used again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sightline" / "environments"


def _gpus() -> tuple[str, ...]:
    """The indices of this machine's NVIDIA devices."""
    names = (device.name.removeprefix("nvidia") for device in Path("/dev").glob("nvidia*"))
    return tuple(sorted((name for name in names if name.isdigit()), key=int))


@contextmanager
def _cancelled_by_interrupt() -> Iterator[threading.Event]:
    """The first Ctrl-C asks the job to stop, a second one ends this program."""
    cancel = threading.Event()

    def stop(*_: object) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
