"""`sightline eval`: measure a trained model."""

from typing import Annotated

import typer

from sightline.cli.output import AsJson, note, print_fields, print_json

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
    run: Trained,
    overrides: Overrides = None,
    split: Split = "test",
    last: Last = False,
    as_json: AsJson = False,
) -> None:
    """Measure loss and metrics of a trained model on a whole split; each item counts once.

    Examples:

      sightline eval last

      sightline eval digits --split validation --json

      sightline eval .data/experiments/20250101-120000-digits/checkpoints/step-00000135

      sightline eval last loader.eval_batch_size=256 trainer.device=cpu
    """
    from sightline.cli.follow import metric_value
    from sightline.engine.opening import opened

    experiment = opened(run, overrides or (), best=not last)
    metrics = experiment.eval(split)
    if as_json:
        print_json(metrics)
        return
    note(f"{run}, {split}:")
    print_fields((name, metric_value(value)) for name, value in metrics.items())
