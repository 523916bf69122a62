"""`sightline eval`: measure a trained model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.output import AsJson, note, print_fields, print_json
from sightline.cli.reporting import NoReport
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.engine import Experiment
    from sightline.reports.of_run import Measured

Trained = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run (path, name, part of its name, 'last'), a checkpoint's or model's folder, a saved .zip.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Values that replace those of the run's spec."),
]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Last = Annotated[bool, typer.Option("--last", help="A run's last checkpoint rather than its best.")]


def eval(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="A run (path, name, part of its name, 'last'), a checkpoint's or model's folder, a saved "
            ".zip; or a file that `sightline export` made.",
        ),
    ],
    overrides: Overrides = None,
    split: Split = "test",
    data: Annotated[
        str | None,
        typer.Option(metavar="DATASET", help="A dataset's folder, recipe or name; of a run: not its own."),
    ] = None,
    last: Last = False,
    no_report: NoReport = False,
    as_json: AsJson = False,
) -> None:
    """Measure loss and metrics of a trained model on a whole split; each item counts once.

    Of a vision task, report.html and pictures are written to reports/SPLIT of the run directory, and the
    samples with the predictions to data/predictions-SPLIT, a dataset that `sightline dataset view` shows.

    Examples:

      sightline eval last

      sightline eval digits --split validation --json

      sightline eval .data/experiments/20250101-120000-digits/checkpoints/step-00000135

      sightline eval last loader.eval_batch_size=256 trainer.device=cpu

      sightline eval cells.onnx --data bccd
    """
    from sightline.cli.follow import metric_value
    from sightline.deploy.card_files import format_of

    if format_of(Path(run)) is not None:
        metrics = _of_file(run, data, split, overrides or ())
        if as_json:
            print_json(metrics)
            return
        note(f"{run}, {split}:")
        print_fields((name, metric_value(value)) for name, value in metrics.items())
        return
    from sightline.engine.opening import opened  # with torch, which exported files do without

    if data is not None:
        overrides = [*(overrides or ()), f"task.data={json.dumps({'dataset': data})}"]
    experiment = opened(run, overrides or (), best=not last)
    measured = None if no_report else _measured(experiment, split)
    metrics = experiment.eval(split) if measured is None else measured.metrics
    if as_json:
        print_json(metrics)
    else:
        note(f"{run}, {split}:")
        print_fields((name, metric_value(value)) for name, value in metrics.items())
    if measured is not None:
        from sightline.reports.of_run import report_run

        note(f"report: {report_run(experiment, measured)}")


def _of_file(file: str, data: str | None, split: str, overrides: Sequence[str]) -> dict[str, float]:
    """The metrics of an exported file: those of its training, without the loss."""
    from sightline.deploy import open_model
    from sightline.deploy.evaluation import evaluate_file

    if overrides:
        raise SightlineError(f"{file}: has no spec, so there is nothing to replace in it.")
    if data is None:
        raise SightlineError(f"{file}: has no dataset of its own; say which with --data.")
    return evaluate_file(open_model(file), data, split)


def _measured(experiment: "Experiment", split: str) -> "Measured | None":
    """The metrics and the predictions to report; None where there can be no report."""
    from sightline.reports.of_run import measure, reportable

    if experiment.ranks.size > 1 or not reportable(experiment, split):
        return None
    if experiment.folder is None:
        note("no report, as it goes to a run directory: name the run itself.")
        return None
    return measure(experiment, split)
