"""`sightline save` and `sightline load`: a whole run as one file, and back."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.output import say
from sightline.errors import SightlineError
from sightline.runs.locations import EXPERIMENTS_FOLDER


def save(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A path, a run's name, part of it that no other has, or 'last'."),
    ],
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The .zip file to write.")],
) -> None:
    """Pack a run into one file: spec, metrics, checkpoints, model, environment.

    Examples:

      sightline save last digits.zip

      sightline save .data/experiments/20250101-120000-digits digits.zip
    """
    from sightline.engine.bundle import pack
    from sightline.files import readable_size
    from sightline.runs.listing import find_named

    if output.suffix != ".zip":
        raise SightlineError(f"{output}: a run is saved to a .zip file; choose such a name.")
    found = find_named([run], EXPERIMENTS_FOLDER)[0]
    if found.status == "running":
        raise SightlineError(f"{found.folder}: is still running; save it when it has ended.")
    pack(found.folder, output)
    say(f"{output}: {readable_size(output.stat().st_size)}")


def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `sightline save` wrote.")],
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Where to. Default: beside the other runs, named as the file."
        ),
    ] = None,
) -> None:
    """Unpack a saved run: it can be looked at, evaluated and gone on with like one that was trained here.

    Examples:

      sightline load digits.zip

      sightline load digits.zip elsewhere/digits
    """
    from sightline.engine.bundle import unpack

    say(str(unpack(file, folder or EXPERIMENTS_FOLDER / file.stem)))
