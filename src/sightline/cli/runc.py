"""`sightline runc`: run a trainer package on this machine as the service would."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sightline.cli.commands import new_app

app = new_app("Run a trainer package on this machine as the service would.")


@app.callback()
def _keep_subcommand_names() -> None:
    """Run a trainer package on this machine as the service would."""


@app.command("launch-local")
def launch_local(
    exec_cmd: Annotated[str, typer.Argument(metavar="COMMAND", help="Such as 'python scripts/train.py'.")],
    dataset: Annotated[
        str,
        typer.Option("--dataset", "-d", help="Name (its sample is used), or a folder such as ./digits."),
    ],
    trainer: Annotated[
        Path, typer.Option("--trainer", "-p", help="Folder or zip of the trainer package.")
    ] = Path(),
    sandbox: Annotated[
        Literal["namespace", "process"] | None, typer.Option(help="Default: the strictest there is.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for results. Default: .data/launches/<time>."),
    ] = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=1, help="Seconds after which the job is stopped.")
    ] = 86_400,
) -> None:
    """Run a command of a trainer package in the sandbox, on the sample.

    The command sees what it will see on the service: no network, a read-only dataset, the same paths and
    variables. Exit 0 if it succeeded.

    Examples:

      sightline runc launch-local --dataset digits "python scripts/train.py"

      sightline runc launch-local --dataset .data/datasets/digits --trainer trainer.zip --sandbox process
      "python scripts/train.py --epochs 1"
    """
    from sightline.cli.launch import launch

    launch(exec_cmd, dataset, trainer, sandbox=sandbox, output=output, time_limit_s=time_limit)
