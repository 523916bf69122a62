"""`sightline export`: a trained model as a file that runs elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.eval import Last
from sightline.cli.output import AsJson, note, print_fields, print_json

if TYPE_CHECKING:
    from sightline.deploy.export import Exported


class FormatName(StrEnum):
    """Formats of files."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"
    PT2 = "pt2"
    SAFETENSORS = "safetensors"


class PrecisionName(StrEnum):
    """Precisions of files."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A run (path, name, part of its name, 'last'), a checkpoint's or model's folder, a saved "
            ".zip, wandb:entity/project/model-id:v0, mlflow:models:/name/1; with --spec a file of weights.",
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Values that replace those of the spec."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: NAME_METRIC=VALUE.FORMAT, here."),
    ] = None,
    format: Annotated[
        FormatName | None, typer.Option(help="Of the file. Default: by its ending, or onnx.")
    ] = None,
    precision: Annotated[
        PrecisionName, typer.Option(help="fp16 and int8 make a smaller file; int8 is for ONNX alone.")
    ] = PrecisionName.FP32,
    name: Annotated[str | None, typer.Option(help="Of the model. Default: that of the run.")] = None,
    description: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What it is for, and what not.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(metavar="NAME", help="Under which it may be used, as Apache-2.0.")
    ] = None,
    samples: Annotated[
        int, typer.Option(metavar="N", min=1, help="Images that the file is compared with the model on.")
    ] = 64,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="By how much the metric on these may differ. Default: 0.001; of fp16 0.01, of int8 0.02.",
        ),
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What a file of weights is of, where it does not say.")
    ] = None,
    last: Last = False,
    as_json: AsJson = False,
) -> None:
    """Write a trained model as a file that takes images as they are and needs nothing of its training.

    The normalisation is part of the file. So is its model card: task, classes, bands, preprocessing, ground
    resolution, metrics and the dataset they were measured on, the run. `sightline model show FILE` prints it.

    The file is compared with the model on images of its dataset at once: outputs and the task's metric. Where
    they differ there is no file.

    Examples:

      sightline export last

      sightline export cells -o cells.onnx --precision int8 --licence Apache-2.0

      sightline export wandb:lab/mussels/model-nzty80z7:v0 --spec mussels.yaml --name mussels

      sightline export last --format pt2
    """
    from sightline.deploy.card_files import refuse_precision

    kind = _format(output, format)
    refuse_precision(precision.value, kind.value)
    # What follows takes seconds to import.
    from sightline.deploy.export import export_model
    from sightline.deploy.export.sources import trained

    with trained(source, spec=spec, overrides=overrides or (), best=not last) as experiment:
        exported = export_model(
            experiment,
            output,
            format=kind.value,
            precision=precision.value,
            name=name,
            description=description,
            licence=licence,
            samples=samples,
            tolerance=tolerance,
        )
    if as_json:
        print_json({"file": str(exported.path), **exported.card.model_dump(mode="json")})
        return
    _tell(exported)


def _format(output: Path | None, format: FormatName | None) -> FormatName:
    from sightline.deploy.card_files import FORMATS, format_of
    from sightline.errors import SightlineError

    if output is None:
        return format or FormatName.ONNX
    found = format_of(output)
    if found is None or (format is not None and format.value != found):
        wanted = f".{format.value}" if format else ", ".join(f".{one}" for one in FORMATS)
        raise SightlineError(f"{output}: the name of the file has to end in {wanted}.")
    return FormatName(found)


def _tell(exported: "Exported") -> None:
    from sightline.files import readable_size

    card, check = exported.card, exported.card.check
    taken = "any size" if card.input.size is None else "{} x {}".format(*card.input.size)
    if card.input.multiple > 1:
        taken = f"multiples of {card.input.multiple}"
    batch = "any number" if card.input.batch is None else str(card.input.batch)
    compared = None
    if check is not None:
        kind = "images of the dataset" if check.images == "real" else "images of noise"
        compared = f"{check.count} {kind}, scores differ by at most {check.largest_difference:.2g}"
        if check.metric is not None:
            compared += f", {check.metric} {check.before:.4f} and {check.after:.4f}"
    print_fields(
        [
            ("file", exported.path),
            ("size", readable_size(exported.path.stat().st_size)),
            ("model", f"{card.name}, {card.task} of {len(card.classes)} classes, {card.precision}"),
            ("takes", f"{batch} of images of {taken}, {card.input.type}, bands {card.preprocessing.bands}"),
            ("compared on", compared),
        ]
    )
    if check is not None and check.images == "random":
        note(
            "its dataset is not at hand, so it was compared with the model on noise, and not measured; say "
            "where it is with task.data.dataset=FOLDER."
        )
