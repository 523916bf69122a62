"""`sightline predict`: what a trained model says of images, videos, rasters, or of its own dataset."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.output import AsJson
from sightline.errors import SightlineError

_MAPS = (".tif", ".tiff", ".gpkg", ".geojson")

Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda, cuda:1; of ONNX files also tensorrt and coreml, where present.")
]
BatchSize = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Images, or tiles, that the model is given at once.")
]


def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A file that `sightline export` made, or a run (path, name, part of its name, 'last'), a "
            "checkpoint's or model's folder, a saved .zip.",
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]... [KEY=VALUE]...",
            help="Images, videos, folders of them, a dataset's folder, rasters. Without any: the run's own "
            "dataset. And settings, see below.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help=".jsonl, .csv or .parquet; a folder becomes a dataset; .tif, .gpkg or .geojson is a map. Of "
            "the run's own dataset: .jsonl, .parquet, .safetensors, or '-'.",
        ),
    ] = Path("predictions.jsonl"),
    draw: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write pictures and videos with the predictions on them."),
    ] = None,
    track: Annotated[
        bool, typer.Option("--track", help="Follow objects from frame to frame of a video.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Leave out what is less sure. Default: nothing; in pictures below 0.3."
        ),
    ] = None,
    maps: Annotated[
        str | None,
        typer.Option(metavar="tif|gpkg|geojson", help="Make OUTPUT a folder with a map of each raster."),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE.tif", help="Beside a map, the score of each class.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Of a dataset: train, validation or test. Default: all; of the run's own test."),
    ] = None,
    last: Annotated[
        bool, typer.Option("--last", help="A run's last checkpoint rather than its best.")
    ] = False,
    device: Device = "auto",
    batch_size: BatchSize = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a dataset that is there; files always are.")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="Let a dataset link to the images rather than hold copies.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write what a trained model says of images, frames of videos, or rasters.

    Interrupted work goes on where it was when the same command is given again. A file that cannot be read
    is told in the end (exit code 1), and stops no other.

    Without INPUT, the predictions are those of the run's task for each item of a split of its own dataset,
    in its order: JSON lines have an index from 0 and what compute_predictions gives, tensors as lists.

    KEY=VALUE are values of the run's spec where there is no INPUT; of maps how they are made, such as
    tiles.tile=512, symmetric=true, postprocessing.min_area=50, smooth=2; of files threshold and tracker, such
    as tracker.patience=60.

    Examples:

      sightline predict cells.onnx photos -o cells.csv --draw drawn

      sightline predict drones.onnx flight.mp4 -o flight.jsonl --draw drawn --track

      sightline predict cells.onnx bccd -o bccd-predicted

      sightline predict water.onnx scene.tif -o water.gpkg smooth=2 min_area=100

      sightline predict water.onnx scenes/*.tif -o maps --maps tif

      sightline predict last --split validation -o predictions.parquet
    """
    inputs, settings = _told_apart(words or [])
    if not inputs:
        _refuse(
            {"--draw": draw, "--track": track, "--threshold": threshold, "--maps": maps, "--scores": scores},
            "needs images, videos or rasters as INPUT",
        )
        from sightline.cli.predict_split import predict_split

        predict_split(model, settings, output, split or "test", last=last)
        return
    if str(output) == "-":
        raise SightlineError("-o -: is for the run's own dataset; give a file or a folder.")
    from sightline.cli.predict_inputs import opened_model, predict_inputs

    predictor, key = opened_model(model, device, batch_size, last=last)
    if maps is not None or output.suffix.lower() in _MAPS:
        _refuse(
            {"--draw": draw, "--track": track, "--threshold": threshold, "--split": split}, "is not for maps"
        )
        from sightline.cli.predict_maps import predict_maps

        if batch_size is not None:
            settings.insert(0, f"batch_size={batch_size}")
        predict_maps(predictor, key, inputs, output, settings, each=maps, scores=scores, as_json=as_json)
        return
    _refuse({"--scores": scores}, "is for maps (-o FILE.tif)")
    from sightline.deploy.files.settings import FileSettings
    from sightline.deploy.files.tracking import TrackerConfig

    chosen = FileSettings(threshold=threshold, draw=draw, tracker=TrackerConfig() if track else None)
    predict_inputs(
        predictor,
        key,
        inputs,
        output,
        settings,
        settings=chosen,
        split=split,
        overwrite=overwrite,
        link=link,
        as_json=as_json,
    )


def _told_apart(words: list[str]) -> tuple[list[str], list[str]]:
    """Inputs, and settings: what has the form of a setting and is the name of no file."""
    inputs, settings = [], []
    for word in words:
        key, equals, _ = word.partition("=")
        is_setting = equals and key.replace(".", "").isidentifier() and not Path(word).exists()
        (settings if is_setting else inputs).append(word)
    return inputs, settings


def _refuse(options: dict[str, object], why: str) -> None:
    for name, value in options.items():
        if value not in (None, False):
            raise SightlineError(f"{name}: {why}; leave it out, or see `sightline predict --help`.")
