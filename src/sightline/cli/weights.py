"""`sightline weights`: pretrained weights to begin with, and trained ones as files that load anywhere."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.commands import new_app
from sightline.cli.eval import Last, Trained
from sightline.cli.output import AsJson, note, print_json, print_table, say

app = new_app("Fetch pretrained weights; write a model's weights to a file, and look into such files.")


@app.command("pull")
def pull_weights(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...", help="Models, or encoders, of timm, torchvision, smp or transformers."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write this .safetensors file instead."),
    ] = None,
) -> None:
    """Fetch the weights that a library has for a model, for trainings on machines without a network.

    They are kept as one safetensors file each in $SIGHTLINE_WEIGHTS, or else in a folder of the user's cache;
    there `pretrained: true` finds them. A file elsewhere, such as one inside a trainer package, is given as
    `pretrained: FILE`.

    Examples:

      sightline weights pull resnet18 smp/mit_b0

      sightline weights pull torchvision/resnet50 -o weights/resnet50.safetensors
    """
    from sightline.errors import SightlineError
    from sightline.files import readable_size
    from sightline.models.names import resolved
    from sightline.models.pretrained.sources import WEIGHTS
    from sightline.models.pretrained.store import pull

    if output is not None and len(names) > 1:
        raise SightlineError("--output takes the weights of one model; pull the others on their own.")
    for name in names:
        stored = pull(resolved(name, WEIGHTS, "model"), output=output)
        licence = stored.licence or f"not stated, see {stored.address}"
        say(f"{stored.path}: {stored.name}, {readable_size(stored.size_bytes)}, licence: {licence}")


@app.command("ls")
def list_weights(as_json: AsJson = False) -> None:
    """List the pretrained weights that were fetched.

    Examples:

      sightline weights ls

      sightline weights ls --json
    """
    from sightline.files import readable_size
    from sightline.models.pretrained.store import pulled, weights_folder

    found = pulled()
    if as_json:
        print_json([one._asdict() | {"path": str(one.path)} for one in found])
        return
    print_table(
        ("name", "size", "licence", "from"),
        [(one.name, readable_size(one.size_bytes), one.licence, one.address) for one in found],
        empty=f"{weights_folder()}: no pretrained weights; fetch some with `sightline weights pull`",
    )


@app.command("save")
def save_weights(
    run: Trained,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The .safetensors file to write.")],
    last: Last = False,
) -> None:
    """Write the weights of a trained model, under the names of its own state_dict.

    Load them with safetensors.torch.load_file, or begin a training with `sightline train --weights FILE`.

    Examples:

      sightline weights save last digits.safetensors

      sightline weights save digits --last digits-last.safetensors
    """
    from sightline.engine.opening import opened
    from sightline.errors import SightlineError
    from sightline.files import readable_size

    if output.suffix != ".safetensors":
        raise SightlineError(f"{output}: weights are written to a .safetensors file; choose such a name.")
    experiment = opened(run, best=not last)
    experiment.save_weights(output)
    say(f"{output}: {readable_size(output.stat().st_size)}")


@app.command("show")
def show_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .safetensors file.")],
    as_json: AsJson = False,
) -> None:
    """List the tensors of a safetensors file; only its header is read.

    Examples:

      sightline weights show digits.safetensors

      sightline weights show .data/experiments/20250101-120000-digits/model/weights.safetensors --json
    """
    from sightline.engine.weights_listing import tensors_in
    from sightline.files import readable_size

    tensors = tensors_in(file)
    if as_json:
        print_json([tensor._asdict() for tensor in tensors])
        return
    print_table(
        ("name", "shape", "type", "size"),
        [
            (one.name, " x ".join(map(str, one.shape)) or "scalar", one.dtype, readable_size(one.size_bytes))
            for one in tensors
        ],
        empty=f"{file}: has no tensors",
    )
    numbers = sum(one.numbers for one in tensors)
    note(f"{len(tensors)} tensors, {numbers:,} numbers, {readable_size(sum(t.size_bytes for t in tensors))}")
