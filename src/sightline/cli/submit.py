"""From a folder and a dataset's name to a queued experiment."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.cli.lookup import find_trainer, pick
from sightline.cli.packages import packed

if TYPE_CHECKING:
    from sightline.client import ServiceClient
    from sightline.client.wire import ExperimentOut

DEFAULT_COMMAND = "python scripts/train.py"


def submit(
    client: "ServiceClient",
    *,
    name: str | None,
    dataset: str | None,
    recipe: str | None,
    command: str | None,
    trainer: Path | str,
    environment: str | None,
) -> "ExperimentOut":
    """Queue an experiment; ``trainer`` is a package to upload (a path) or one on the service (a string).

    The package and the command are checked here first, so that a mistake costs no upload.

    Raises:
        SightlineError: the package is none, or has no such command; or as the service says.
    """
    from sightline.client.messages import message
    from sightline.client.wire import ExperimentCreate
    from sightline.trainer_package import parse_command

    name = name or datetime.now().astimezone().strftime("run-%Y-%m-%dT%H-%M-%S")
    recipe_id = pick("recipe", client.dataset_recipes(), recipe).id if recipe else None
    fields = {
        "name": name,
        "dataset": dataset,
        "dataset_recipe": recipe_id,
        "environment": environment,
    }
    if isinstance(trainer, str):
        found = find_trainer(client, trainer)
        if command is None:
            command = found.default_command or DEFAULT_COMMAND
        return client.create_experiment(
            message(ExperimentCreate, trainer=found.id, command=command, **fields)
        )
    command = DEFAULT_COMMAND if command is None else command
    message(ExperimentCreate, trainer="to be uploaded", command=command, **fields)
    package = packed(trainer)
    parse_command(command, package.files)
    if dataset:
        client.dataset(dataset.partition(":")[0])
    uploaded = client.create_trainer(package.path, package.name, default_command=command)
    return client.create_experiment(message(ExperimentCreate, trainer=uploaded.id, command=command, **fields))
