"""The story of the product in five steps, told by running it."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from sightline.client import ServiceClient
from sightline.client.wire import Role, UserCreate
from sightline.data import Dataset
from sightline.demo.digits import write_digits
from sightline.demo.service_process import ServiceProcess
from sightline.errors import SightlineError
from sightline.trainer_package import example_folder

ACCURACY_BAR = 0.97
SAMPLE_SIZE = 60
_STEPS = (
    "start the service",
    "publish the hidden dataset, as its owner",
    "train on the sample, as a model developer",
    "run the same script on the hidden data",
    "compare what came back",
)


def run_main_job(folder: Path | None, *, keep: bool) -> None:
    """Run the main job and print what happens; the last line is ``demo ok …``.

    Args:
        folder: must be empty or missing; a new temporary folder when None. It stays, with all results.
        keep: leave the service up.

    Raises:
        SightlineError: any step failed, or the model from the hidden data is worse than `ACCURACY_BAR`.
    """
    folder = _empty_folder(folder)
    started = time.monotonic()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as progress, ExitStack() as cleanup:
        story = _Story(progress, folder)

        story.next_step()
        service = ServiceProcess(folder / "service")
        if not keep:
            cleanup.callback(service.stop)
        story.say(f"service   {service.url}  (SQLite, local folder, one local agent)")
        story.say(f"files     {folder}")
        keys = _make_users(service)

        story.next_step()
        owner = folder / "owner"
        write_digits(owner / "images")
        digits = Dataset.from_image_folder(owner / "images", name="digits")
        digits.write(owner / "digits")
        as_owner = story.person(owner, service.url, keys["owner"])
        publish = ["dataset", "publish", str(owner / "digits"), "--sample", str(SAMPLE_SIZE)]
        story.sightline(as_owner, *publish, "--release", "auto", "--title", "Handwritten digits")

        story.next_step()
        developer = folder / "developer"
        trainer = example_folder("classification")
        as_developer = story.person(developer, service.url, keys["developer"])
        story.sightline(as_developer, "dataset", "download", "digits")
        train = ["scripts/train.py", "--dataset", "digits"]
        story.python(as_developer, trainer, *train)
        sample_model = _newest_run(developer) / "model"

        story.next_step()
        package = str(developer / "trainer.zip")
        story.sightline(as_developer, "trainer", "create-zip", str(trainer), "--output", package)
        create = ["experiment", "create", "--name", "digits-hidden", "--dataset", "digits"]
        command = shlex.join(["python", *train, "--probe"])
        lines = story.sightline(
            as_developer, *create, "--trainer-path", package, "--cmd", command, "--follow"
        )
        _check_refusals(lines)

        story.next_step()
        released = developer / "released"
        story.sightline(
            as_developer, "experiment", "download", "digits-hidden", "--destination", str(released)
        )
        log = released / "log.txt"
        story.sightline(as_developer, "experiment", "logs", "digits-hidden", "--output", str(log))
        hidden_model = released / "model"
        models = [str(sample_model), str(hidden_model)]
        judge = ["scripts/evaluate.py", "--dataset", str(owner / "digits"), *models]
        scores = [json.loads(line) for line in story.python(as_owner, trainer, *judge)]
        sample_score, hidden_score = (score["accuracy"] for score in scores)
        story.end()

    console = progress.console
    table = Table(title="accuracy on the hidden test split")
    table.add_column("trained on")
    table.add_column("accuracy", justify="right")
    table.add_row(f"the sample ({SAMPLE_SIZE} images)", f"{sample_score:.4f}")
    table.add_row(f"the hidden data ({len(digits)} images)", f"{hidden_score:.4f}")
    console.print(table)
    console.print(f"model    {hidden_model}", soft_wrap=True)
    console.print(f"metrics  {released / 'run' / 'metrics.jsonl'}", soft_wrap=True)
    console.print(f"logs     {log}", soft_wrap=True)
    if keep:
        console.print(f"service  {service.url} stays up; stop it with: kill {service.pid}", soft_wrap=True)
        console.print(f"         admin key in {folder / 'service' / 'admin.key'}", soft_wrap=True)
    if hidden_score < ACCURACY_BAR:
        raise SightlineError(
            f"the model of the hidden data reached accuracy {hidden_score:.4f}, less than {ACCURACY_BAR}."
        )
    seconds = time.monotonic() - started
    console.print(f"demo ok: accuracy {sample_score:.3f} -> {hidden_score:.3f} in {seconds:.0f} s")


class _Story:
    """Runs the commands that a user would type, and shows them with what they print."""

    def __init__(self, progress: Progress, folder: Path) -> None:
        self._progress = progress
        self._folder = folder
        self._task = progress.add_task("", total=len(_STEPS))
        self._step = 0

    def next_step(self) -> None:
        title = _STEPS[self._step]
        self._progress.update(self._task, completed=self._step, description=title)
        self._step += 1
        self._progress.console.print(f"\n[bold]{self._step}/{len(_STEPS)}  {title}[/bold]")

    def end(self) -> None:
        self._progress.update(self._task, completed=len(_STEPS))

    def say(self, text: str) -> None:
        self._progress.console.print(Text(f"  {text}"), soft_wrap=True)

    def person(self, home: Path, url: str, api_key: str) -> Mapping[str, str]:
        """Environment of somebody with a folder and a key of their own."""
        home.mkdir(parents=True, exist_ok=True)
        # As in a job: training must not crawl on a machine that others use too.
        defaults = {"OMP_WAIT_POLICY": "PASSIVE"}
        return {
            **defaults,
            **os.environ,
            "SIGHTLINE_URL": url,
            "SIGHTLINE_API_KEY": api_key,
            "PWD": str(home),
        }

    def sightline(self, person: Mapping[str, str], *words: str) -> list[str]:
        return self._run(person, ["sightline", *words], [sys.executable, "-m", "sightline.cli.main", *words])

    def python(self, person: Mapping[str, str], trainer: Path, script: str, *words: str) -> list[str]:
        environment = {**person, "PYTHONPATH": str(trainer / "src"), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, str(trainer / script), *words]
        return self._run(environment, ["python", script, *words], command)

    def _run(self, environment: Mapping[str, str], shown: list[str], command: list[str]) -> list[str]:
        text = shlex.join(word.replace(f"{self._folder}/", "") for word in shown)
        self._progress.console.print(Text(f"  $ {text}", style="cyan"), soft_wrap=True)
        lines: list[str] = []
        with subprocess.Popen(
            command,
            cwd=environment["PWD"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                shortened = lines[-1].replace(f"{self._folder}/", "")
                self._progress.console.print(Text(f"  │ {shortened}", style="dim"), soft_wrap=True)
        if process.returncode:
            said = lines[-1] if lines else "nothing"
            raise SightlineError(f"'{text}' ended with code {process.returncode}; it said: {said}")
        return lines


def _empty_folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="sightline-demo-"))
    folder = folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        raise SightlineError(f"{folder}: is not empty; choose another --folder for the demo.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _make_users(service: ServiceProcess) -> dict[str, str]:
    with ServiceClient(service.url, service.admin_key) as admin:
        return {
            role.value: admin.create_user(UserCreate(name=f"demo-{role.value}", role=role)).api_key
            for role in (Role.OWNER, Role.DEVELOPER)
        }


def _newest_run(home: Path) -> Path:
    return max((home / ".data" / "experiments").iterdir(), key=lambda run: run.stat().st_mtime_ns)


def _check_refusals(lines: list[str]) -> None:
    for subject in ("network", "writing to the dataset"):
        if not any(f"probe: {subject} refused" in line for line in lines):
            raise SightlineError(f"the job's log does not show that its sandbox refused {subject}.")
