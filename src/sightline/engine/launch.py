"""Starting the training of a spec, in whatever processes its launcher says."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sightline.config import Component, load, load_text, to_yaml
from sightline.engine.checkpoints import SPEC_FILE
from sightline.engine.experiment import Experiment
from sightline.engine.launchers.processes import train_in_processes
from sightline.engine.launchers.slurm import submit
from sightline.engine.launchers.torchrun import train_by_torchrun
from sightline.engine.resuming import changes_on_resume
from sightline.engine.spec import Spec
from sightline.errors import SightlineError

CONSOLE = "sightline.runs.sinks.Console"


def train(spec: Spec, folder: Path | None = None, *, resume: bool = False) -> dict[str, float]:
    """Train ``spec`` as its launcher says; return the last metrics, if the training is in this process.

    Raises:
        SightlineError: the training failed, or was stopped.
    """
    launcher = spec.launcher
    if "WORLD_SIZE" in os.environ:  # torchrun has started this process
        return train_here(spec, folder, resume=resume)
    if launcher.kind == "slurm":
        submit(spec, folder)
    elif launcher.ranks * launcher.nodes == 1:
        return train_here(spec, folder, resume=resume)
    elif launcher.kind == "torchrun":
        train_by_torchrun(spec, folder, resume=resume)
    else:
        train_in_processes(spec, folder, resume=resume)
    return {}


def train_here(spec: Spec, folder: Path | None = None, *, resume: bool = False) -> dict[str, float]:
    """Train in this process, which is one of the ranks if the environment says so.

    Raises:
        SightlineError: the training failed, or was stopped.
        SystemExit: the same on a rank that has nothing to say about it, as the main one does.
    """
    experiment = Experiment(spec, folder)
    ranks = experiment.ranks
    try:
        return experiment.train(resume=resume)
    except SightlineError as error:
        if ranks.is_main or ranks.failed_first:
            raise
        raise SystemExit(error.exit_code) from error
    finally:
        ranks.close()


def with_console(spec: Spec) -> Spec:
    """The spec with a logger that shows the training on the console, where it has none."""
    if any(one.class_path == CONSOLE for one in spec.loggers):
        return spec
    return spec.model_copy(update={"loggers": [*spec.loggers, Component(class_path=CONSOLE)]})


def spec_to_resume(folder: Path, overrides: Sequence[str] = ()) -> Spec:
    """The spec of the run in ``folder`` with ``overrides``, which are told on standard error.

    Raises:
        SightlineError: it is no run, or an override is for a training that has not begun.
    """
    path = folder / SPEC_FILE
    if not path.exists():
        raise SightlineError(f"{folder}: is not the run directory of a training (it has no {SPEC_FILE}).")
    before, now = load(Spec, path), load(Spec, path, overrides)
    for change in changes_on_resume(before, now):
        print(f"changed on resuming: {change}", file=sys.stderr)
    return now


def launch(spec: Spec | Path, arguments: Sequence[str] | None = None) -> None:
    """The main function of a script that trains ``spec``; exits with the code of what came of it.

    Args:
        spec: what to train, or the file that says so.
        arguments: overrides such as ``trainer.max_duration=3ep``, ``--resume RUN`` to go on with a run, or
            ``--print-config``; by default those of the command line.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _launch(spec, words)
    except SightlineError as error:
        if os.environ.get("SIGHTLINE_DEBUG", "") not in ("", "0"):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _launch(spec: Spec | Path, words: list[str]) -> None:
    folder = None
    if "--resume" in words:
        place = words.index("--resume")
        if place + 1 == len(words):
            raise SightlineError("--resume: name the run directory to go on with.")
        folder = Path(words[place + 1])
        del words[place : place + 2]
    show = "--print-config" in words
    overrides = [word for word in words if word != "--print-config"]
    for word in overrides:
        if word.startswith("-") or "=" not in word:
            raise SightlineError(
                f"'{word}' is not understood; give overrides such as trainer.max_duration=3ep, --resume RUN, "
                "or --print-config."
            )
    if folder is not None:
        spec = spec_to_resume(folder, overrides)
    elif isinstance(spec, Path):
        spec = load(Spec, spec, overrides)
    else:
        spec = load_text(Spec, to_yaml(spec), overrides, name=Path(sys.argv[0]).name)
    if show:
        print(to_yaml(spec), end="")
        return
    train(with_console(spec), folder, resume=folder is not None)
