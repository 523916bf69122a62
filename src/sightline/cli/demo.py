"""`sightline demo`: the main job, end to end."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Where all of it lies; a new temporary folder when left out.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the service up.")] = False,
) -> None:
    """Publish hidden data, train on it without seeing it, and get the model back.

    Starts a service on this machine, publishes handwritten digits as a data owner, trains on their sample as
    a model developer, submits the same script to the hidden data, and compares the two models.

    Examples:

      sightline demo

      sightline demo --keep --folder /tmp/demo
    """
    from sightline.demo.main_job import run_main_job

    run_main_job(folder, keep=keep)
