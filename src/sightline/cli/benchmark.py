"""`sightline benchmark`: models of any origin, on one dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.cli.output import AsJson, note, print_json, print_table
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.reports.scoring import Benchmark


def benchmark(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DATASET",
            help="Runs, checkpoints, exported models, or classes as FILE.py:NAME; then a dataset folder, a "
            "recipe's file or a dataset's name.",
        ),
    ],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    splits: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A split manifest that says what is in which split.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The dataset's task to compare with. Default: the only one."),
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", metavar="N", min=1, help="Images that a model is given at once.")
    ] = 1,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or cuda:0; a class of your own chooses.")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure models on a split: the metrics of its task, images a second, latency, memory.

    A class of your own has `predict(images)`, which gives ClassScores, Detections or ClassMap (see
    sightline.data.predictions) for each image, an array of height, width, bands; it may have `classes`, the
    names of its labels. Time is measured after a warm-up and without reading files. Memory is the most that
    the GPU, or without one the whole process, had in use meanwhile.

    Examples:

      sightline benchmark last cells

      sightline benchmark cells-small cells-large model.onnx mine.py:Threshold cells --split validation

      sightline benchmark last cells --batch-size 16 --json
    """
    from sightline.cli.opening_models import open_model
    from sightline.reports import benchmark as measure
    from sightline.tasks.source import DatasetConfig, open_dataset

    if len(words) < 2:
        raise SightlineError("name one model or more, then the dataset: sightline benchmark last cells.")
    *models, name = words
    dataset = open_dataset(DatasetConfig(dataset=name, splits=splits)).create_split_dataset(split)
    results: list[tuple[str, Benchmark]] = []
    for model in models:
        note(f"measuring {model} on {len(dataset):,} images")
        results.append(
            (model, measure(open_model(model, device, batch_size), dataset, task, batch_size=batch_size))
        )
    if as_json:
        print_json([_json(model, result) for model, result in results])
        return
    print_table(*_table(results), empty="nothing was measured.")


def _json(model: str, result: "Benchmark") -> dict[str, Any]:
    from dataclasses import asdict

    return {"model": model, **asdict(result)}


def _table(results: "list[tuple[str, Benchmark]]") -> tuple[list[str], list[list[str]]]:
    from sightline.files import readable_size

    names = list(dict.fromkeys(name for _, result in results for name in result.headline))
    columns = ["model", *names, "images/s", "p50 ms", "p90 ms", "p99 ms", "memory"]
    rows = [
        [
            model,
            *(f"{result.metrics[name]:.4f}" if name in result.metrics else "" for name in names),
            f"{result.images_per_second:,.1f}",
            *(f"{value:,.1f}" for value in result.latency_ms.values()),
            f"{readable_size(result.peak_memory_bytes)} ({result.memory_of})",
        ]
        for model, result in results
    ]
    return columns, rows
