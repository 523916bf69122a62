"""Build a recipe as a job, in a sandbox: ``python -m sightline.data.recipes.in_job``.

A recipe comes from somebody who may not see the data, and a step can ask for a great deal of memory or
disk, so it is built under a job's limits, not by who hands out the data.
"""

import json
import sys
from pathlib import Path

from sightline.data.dataset import Dataset
from sightline.data.recipes.building import build_to
from sightline.data.recipes.recipe import Recipe
from sightline.errors import SightlineError
from sightline.job_contract import job_folder

ORDER_FILE = "recipe.json"
"""What to build: ``{"recipe": ...}``, in the working folder."""

RESULT = "dataset"
"""The folder of the built dataset, among the job's artifacts."""


def main() -> None:
    """Build what `ORDER_FILE` says of the dataset folders ``0``, ``1`` ... in the job's dataset folder.

    They stand in the order in which the recipe names them.
    """
    inputs, artifacts = job_folder("dataset"), job_folder("artifacts")
    assert inputs is not None, "the sandbox names the dataset folder"
    assert artifacts is not None, "the sandbox names the artifacts folder"
    recipe = Recipe.from_value(json.loads(Path(ORDER_FILE).read_text(encoding="utf-8"))["recipe"])
    datasets = {
        source: Dataset.from_path(inputs / str(number)) for number, source in enumerate(recipe.names())
    }
    built = build_to(recipe, {**datasets}, artifacts / RESULT)
    print(f"built the recipe's dataset: {built!r}")


if __name__ == "__main__":
    try:
        main()
    except SightlineError as error:
        sys.exit(f"error: {error}")
