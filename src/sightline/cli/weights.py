"""`sightline weights`: weights as safetensors files, which load anywhere."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.commands import new_app
from sightline.cli.eval import Last, Trained
from sightline.cli.output import AsJson, note, print_json, print_table, say

app = new_app("Write a model's weights to a file, and look into such files.")


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
