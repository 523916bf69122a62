"""`sightline train`: train specs, one, several or a sweep; or look at what a training would do."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.output import AsJson, note, print_fields, print_json, say
from sightline.cli.plan import Task, Time
from sightline.cli.reporting import NoReport, report_after_training
from sightline.errors import SightlineError
from sightline.runs.locations import EXPERIMENTS_FOLDER

if TYPE_CHECKING:
    from sightline.engine import Spec
    from sightline.engine.sweep import Search


class SearchKind(StrEnum):
    """How a sweep picks its trials."""

    RANDOM = "random"
    OPTUNA = "optuna"


def train(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="SPEC... [KEY=VALUE]...", help="Spec files, and values that replace theirs."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a run: its path, name, part of its name, or 'last'."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Begin with the weights of a safetensors file.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The run directory; of a sweep, the folder for its runs. Default: a new one.",
        ),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the spec with all defaults, and do nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything and try one batch; write nothing.")
    ] = False,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Raise the learning rate until the loss explodes; suggest one.")
    ] = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE,VALUE...",
            help="Train with each value; repeated, with each combination. Ranges for --trials: "
            "log(1e-4,1e-2), uniform(0,1), int(1,8).",
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Pick N combinations of the sweep.")
    ] = None,
    search: Annotated[
        SearchKind, typer.Option(help="How --trials are picked; optuna learns from trainer.monitor.")
    ] = SearchKind.RANDOM,
    sweep_seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another one picks others.")] = 0,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Of several trainings, stop at the first that fails.")
    ] = False,
    plan: Annotated[
        str | None,
        typer.Option(metavar="DATASET", help="Write a spec for a dataset first, as `sightline plan` does."),
    ] = None,
    task: Task = None,
    time: Time = None,
    no_report: NoReport = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train what a spec describes, into a new run directory in .data/experiments.

    Of a vision task that was trained, report.html and pictures are written to reports/validation there (where
    it was tested at the end: reports/test), and the samples with the predictions to data/predictions-SPLIT.

    Exit codes: 0 trained, 1 failed (of several: one of them), 2 options not understood, 75 stopped by SIGTERM
    or SIGUSR1 with its state saved (start it again with --resume), 130 stopped by Ctrl-C, with its state
    saved. A second Ctrl-C stops without saving. One while everything is being built saves nothing.

    Examples:

      sightline train digits.yaml

      sightline train digits.yaml trainer.max_duration=10ep optimizer.lr=3e-4

      sightline train digits.yaml --dry-run

      sightline train digits.yaml trainer.overfit_batches=1 trainer.max_duration=200ba

      sightline train --resume last trainer.max_duration=20ep

      sightline train --plan cells --time 10m

      sightline train resnet.yaml vit.yaml seed=1

      sightline train digits.yaml --sweep optimizer.lr=1e-3,3e-4 --sweep loader.batch_size=32,64

      sightline train digits.yaml --sweep 'optimizer.lr=log(1e-4,1e-2)' --trials 20 --search optuna
    """
    specs, overrides = _sorted_out(words or [])
    if plan is not None:
        specs = [_planned(plan, task, time, specs, resume)]
    elif task or time:
        raise SightlineError("--task and --time are for a plan; give --plan DATASET.")
    single = {"--print-config": print_config, "--dry-run": dry_run, "--find-lr": find_lr}
    chosen = [option for option, given in single.items() if given]
    several = len(specs) > 1 or bool(sweep)
    if len(chosen) > 1:
        raise SightlineError(f"{' and '.join(chosen)}: give one of them.")
    if several and (chosen or resume):
        raise SightlineError(f"{(chosen or ['--resume'])[0]}: works on one spec, without --sweep.")
    if (trials or search != SearchKind.RANDOM) and not sweep:
        raise SightlineError("--trials and --search pick from a sweep; say of what: --sweep KEY=VALUE,VALUE.")
    if search != SearchKind.RANDOM and not trials:
        raise SightlineError(f"--search {search.value}: say how many --trials.")
    if resume is None and not specs:
        raise SightlineError("name a spec file, or the run to go on with: sightline train --resume last.")
    if several:
        _train_several(
            specs,
            overrides,
            sweep or [],
            trials,
            search,
            sweep_seed,
            folder,
            weights,
            fail_fast,
            quiet,
            as_json,
        )
        return
    spec, run = _one(specs, overrides, resume, folder, weights)
    if print_config:
        from sightline.config import to_yaml

        say(to_yaml(spec).rstrip("\n"))
    elif dry_run:
        _dry_run(spec, as_json)
    elif find_lr:
        _find_lr(spec, weights, folder, as_json)
    else:
        from sightline.cli.training import Training, report

        show = not quiet and not as_json
        training = Training(spec, run, resume is not None, weights, show).with_folder()
        training.run()
        if training.folder is not None:
            page = None if no_report else report_after_training(training.folder)
            report(training.folder, as_json, page)


def _sorted_out(words: list[str]) -> tuple[list[Path], list[str]]:
    """Files and overrides; a name with '=' is an override unless there is such a file."""
    is_override = {word: "=" in word and not Path(word).exists() for word in words}
    return [Path(word) for word in words if not is_override[word]], [w for w in words if is_override[w]]


def _planned(dataset: str, task: str | None, time: str | None, specs: list[Path], resume: str | None) -> Path:
    """Write the spec of a plan, and give its path."""
    from sightline.cli.plan import spec_path, write
    from sightline.planning import plan

    if specs or resume is not None:
        what = specs[0] if specs else "--resume"
        raise SightlineError(f"--plan: makes a spec of its own; leave out {what}.")
    path = spec_path(dataset)
    write(plan(dataset, path, task=task, time=time), path)
    note(f"planned: {path}")
    return path


def _one(
    specs: list[Path], overrides: list[str], resume: str | None, folder: Path | None, weights: Path | None
) -> "tuple[Spec, Path | None]":
    from sightline.config import load
    from sightline.engine import Spec
    from sightline.engine.launch import spec_to_resume
    from sightline.runs.listing import find_named

    if resume is None:
        return load(Spec, specs[0], overrides), folder
    if specs or folder or weights:
        what = specs[0] if specs else "--folder" if folder else "--weights"
        raise SightlineError(f"--resume: the run has its own spec, folder and weights; leave out {what}.")
    run = find_named([resume], EXPERIMENTS_FOLDER)[0]
    if run.status == "running":
        raise SightlineError(f"{run.folder}: is still running; wait for it, or stop it first.")
    return spec_to_resume(run.folder, overrides), run.folder


def _train_several(
    specs: list[Path],
    overrides: list[str],
    sweep: list[str],
    trials: int | None,
    kind: SearchKind,
    seed: int,
    folder: Path | None,
    weights: Path | None,
    fail_fast: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    from sightline.cli.trials import Trials
    from sightline.engine.sweep import Axis
    from sightline.job_contract import in_job

    if in_job():
        raise SightlineError("in a job there is one run directory; train one spec in each job.")
    axes = [Axis.parse(text) for text in sweep]
    keys = [axis.key for axis in axes]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise SightlineError(f"--sweep {twice}: is there twice; give all its values in one.")
    if kind == SearchKind.OPTUNA and len(specs) > 1:
        raise SightlineError("--search optuna: works on one spec.")

    def new_search(spec: "Spec") -> "Search":
        from sightline.engine.sweep import Tpe, grid, random_picks

        if trials is None:
            return grid(axes)
        if kind == SearchKind.OPTUNA:
            return Tpe(axes, trials, spec.trainer.mode, seed)
        return random_picks(axes, trials, seed)

    show = not quiet and not as_json
    Trials(specs, overrides, new_search if axes else None, folder, weights, show, fail_fast).run(as_json)


def _dry_run(spec: "Spec", as_json: bool) -> None:
    from dataclasses import asdict

    from sightline.engine import Experiment
    from sightline.engine.dry_run import dry_run
    from sightline.files import readable_size

    found = dry_run(Experiment(spec))
    if as_json:
        print_json(asdict(found))
        return
    items = (
        f"{split} {'an unknown number' if count is None else f'{count:,}'}"
        for split, count in found.items.items()
    )
    duration = "" if found.updates is None else f" = {found.updates:,} updates"
    print_fields(
        [
            ("device", found.device + (f", {found.ranks} ranks" if found.ranks > 1 else "")),
            ("items", ", ".join(items)),
            ("batch", found.batch),
            ("outputs", found.outputs),
            ("predictions", found.predictions if found.predictions != found.outputs else "the outputs"),
            ("loss", f"{found.loss:.4g} with the initial weights"),
            *((name, f"{value:.4g} on one batch") for name, value in found.metrics.items()),
            ("parameters", _parameters(found.trained_parameters, found.frozen_parameters)),
            ("an epoch", f"{found.batches_per_epoch:,} batches, {found.updates_per_epoch:,} updates"),
            ("the training", f"{found.max_duration}{duration}"),
            ("memory", f"{readable_size(found.peak_memory_bytes)} at most, of the {found.memory_of}"),
        ]
    )
    note("all parts work together; nothing was written.")


def _parameters(trained: int, frozen: int) -> str:
    return f"{trained:,} trained" + (f", {frozen:,} frozen" if frozen else "")


def _find_lr(spec: "Spec", weights: Path | None, folder: Path | None, as_json: bool) -> None:
    from datetime import datetime

    from sightline.engine import Experiment
    from sightline.engine.lr_finder import find_lr, write_range_test

    experiment = Experiment(spec)
    if weights is not None:
        experiment.load_weights(weights)
    found = find_lr(experiment)
    place = folder or Path(".data") / "learning-rates" / f"{datetime.now():%Y%m%d-%H%M%S}-{spec.name}"
    picture, numbers = write_range_test(found, place)
    if as_json:
        print_json(
            {
                "suggestion": found.suggestion,
                "diverged": found.diverged,
                "files": [str(picture), str(numbers)],
            }
        )
        return
    if found.suggestion is None:
        note("the loss never fell: look at the data and the loss (trainer.overfit_batches=1 helps).")
    else:
        print_fields(
            [
                ("suggestion", f"optimizer.lr={found.suggestion:.2g}"),
                ("because", "the loss falls fastest there"),
                ("diverged", f"at {found.rates[-1]:.2g}" if found.diverged else "not up to the highest rate"),
            ]
        )
    say(str(picture))
    say(str(numbers))
