"""What a trained run says of its own dataset."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sightline.cli.output import say
from sightline.deploy.card_files import format_of
from sightline.engine import Experiment
from sightline.engine.opening import opened
from sightline.engine.predictions import check_format, write_lines, write_predictions
from sightline.errors import SightlineError


def predict_split(run: str, overrides: Sequence[str], output: Path, split: str, *, last: bool) -> None:
    """Write the predictions for each item of a split; to standard output where ``output`` is ``-``.

    Raises:
        SightlineError: it is no run, or has no such split.
    """
    if format_of(Path(run)) is not None:
        raise SightlineError(f"{run}: has no dataset of its own; give images, videos, a dataset or rasters.")
    to_stdout = str(output) == "-"
    if not to_stdout:
        check_format(output)
    experiment = opened(run, overrides, best=not last)
    batches = _shown(experiment, split)
    if to_stdout:
        write_lines(batches, sys.stdout)
        return
    count = write_predictions(batches, output)
    say(f"{output}: {count:,} predictions")


def _shown(experiment: Experiment, split: str) -> Iterator[Any]:
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
