"""`sightline predict`: what a trained model says of each item."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.cli.eval import Last, Overrides, Split, Trained
from sightline.cli.output import say

if TYPE_CHECKING:
    from sightline.engine import Experiment


def predict(
    run: Trained,
    overrides: Overrides = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help=".jsonl, .parquet or .safetensors; '-': JSON lines, here."),
    ] = Path("predictions.jsonl"),
    split: Split = "test",
    last: Last = False,
) -> None:
    """Write the predictions for each item of a split, in the order of the dataset.

    JSON lines have an index from 0 and what the task's compute_predictions gives for the item, tensors as
    lists. Parquet has the same as rows; safetensors one tensor of all items.

    Examples:

      sightline predict last

      sightline predict last --split validation -o predictions.parquet

      sightline predict last data.test.root=photos -o - | head -3
    """
    from sightline.engine.opening import opened
    from sightline.engine.predictions import check_format, write_lines, write_predictions

    to_stdout = str(output) == "-"
    if not to_stdout:
        check_format(output)
    experiment = opened(run, overrides or (), best=not last)
    batches = _shown(experiment, split)
    if to_stdout:
        write_lines(batches, sys.stdout)
        return
    count = write_predictions(batches, output)
    say(f"{output}: {count:,} predictions")


def _shown(experiment: "Experiment", split: str) -> Iterator[Any]:
    """The predictions of each batch, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    loader = experiment.loader(split, training=False)
    console = Console(stderr=True)
    yield from track(
        experiment.predict(loader),
        "predicting",
        len(loader),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
