"""Build the dataset that a recipe describes, or find it built already."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.data.recipes.sources import FolderSource, MergeSource, Source
from sightline.data.schema import SCHEMA_VERSION
from sightline.dataset_folder import INFO_FILE
from sightline.errors import SightlineError
from sightline.job_contract import in_job, job_folder
from sightline.version import __version__

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset
    from sightline.data.recipes.recipe import Recipe

RECIPE_FILE = "recipe.json"
"""In a folder that was built from a recipe: that recipe."""

Leaves = dict[Source, "Dataset"]

CACHE = Path(".data/recipes")
"""Where built recipes are kept, below the working directory."""


def build(recipe: "Recipe", cache: Path | None, *, force: bool = False) -> "Dataset":
    """See `Recipe.build`."""
    from sightline.data.dataset import Dataset

    if in_job() and recipe.names():
        given = _given_to_job(recipe)
        if given is not None:
            return given
    leaves: Leaves = {source: _read(source) for source in _leaf_sources(recipe)}
    if cache is None:
        return _built(recipe, leaves, None)
    key = _key(recipe, leaves)
    folder = cache.absolute() / key[:32]
    if not force and (folder / INFO_FILE).exists():
        try:
            return Dataset.from_path(folder)
        except SightlineError:
            pass  # damaged, or its images are gone: build it anew
    return build_to(recipe, leaves, folder)


def build_to(recipe: "Recipe", leaves: "Leaves", folder: Path) -> "Dataset":
    """Build a recipe of datasets that are at hand, and write it to ``folder``, over what may be there.

    ``leaves`` has the dataset of every source that is no merge.

    Raises:
        SightlineError: a step cannot be done; the sentence says which.
    """
    images = folder.with_name(f"{folder.name}.images")
    try:
        stored = _stored(_built(recipe, leaves, images), folder)
    finally:
        shutil.rmtree(images, ignore_errors=True)
    (folder / RECIPE_FILE).write_text(recipe.to_json() + "\n", encoding="utf-8")
    return stored


def _given_to_job(recipe: "Recipe") -> "Dataset | None":
    """The job's dataset where it was built from this very recipe: a script may ask for the same recipe on
    a laptop and in the job that was started with it. None where the recipe is yet to be applied."""
    from sightline.data.dataset import Dataset

    folder = job_folder("dataset")
    if folder is not None and (folder / RECIPE_FILE).is_file():
        made_by = type(recipe).from_file(folder / RECIPE_FILE)
        if made_by == recipe:
            return Dataset.from_path(folder)
    if len(recipe.names()) > 1:
        names = ", ".join(f"'{name}'" for name in recipe.names())
        raise SightlineError(
            f"the recipe merges {names}, but a job has one dataset; start the experiment with this recipe."
        )
    return None


def _built(recipe: "Recipe", leaves: "Leaves", images: Path | None) -> "Dataset":
    from sightline.data.dataset import Dataset

    if isinstance(recipe.source, MergeSource):
        dataset = Dataset.merge([_built(part, leaves, images) for part in recipe.source.recipes])
    else:
        dataset = leaves[recipe.source]
    for number, step in enumerate(recipe.steps):
        if step.takes_folder() and images is None:
            raise SightlineError(
                f"recipe step '{step.operation}' writes images; build the recipe with a cache folder."
            )
        try:
            dataset = step.apply(dataset, images or Path())
        except SightlineError as error:
            raise SightlineError(f"recipe step {number + 1} ('{step.operation}'): {error}") from error
    return dataset


def _stored(dataset: "Dataset", folder: Path) -> "Dataset":
    """Write to the cache: by hard links, which cost no space, or copies where links cannot be made."""
    try:
        return dataset.write(folder, how="hardlink", overwrite=True)
    except SightlineError as error:
        if not isinstance(error.__cause__, OSError):
            raise
    return dataset.write(folder, overwrite=True)


def _leaf_sources(recipe: "Recipe") -> list[Source]:
    if isinstance(recipe.source, MergeSource):
        return list(dict.fromkeys(leaf for part in recipe.source.recipes for leaf in _leaf_sources(part)))
    return [recipe.source]


def _read(source: Source) -> "Dataset":
    from sightline.data.dataset import Dataset

    if isinstance(source, FolderSource):
        return Dataset.from_format(source.path, source.format, **source.options)
    assert not isinstance(source, MergeSource)
    return Dataset.from_name(source.name, source.version)


def _key(recipe: "Recipe", leaves: "Leaves") -> str:
    """Hex SHA-256 over all that decides what comes out: the recipe, what its sources hold, our version."""
    value = {
        "recipe": recipe.to_value(),
        "sources": [_content(dataset) for dataset in leaves.values()],
        "files": [_status(path) for path in recipe.reads_files()],
        "sightline": __version__,
        "schema": SCHEMA_VERSION,
    }
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _content(dataset: "Dataset") -> str:
    """Hex SHA-256 of a dataset: its description, its annotations, and its files' sizes and times."""
    digest = hashlib.sha256(dataset.info.model_dump_json(exclude={"updated_at"}).encode())
    for block in dataset.samples.iter_slices(10_000):
        digest.update(block.write_ndjson().encode())
    for path in dataset.samples["file_path"].drop_nulls().unique(maintain_order=True):
        status = _status(path)
        digest.update(f"{path}:{status}\n".encode())
    return digest.hexdigest()


def _status(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116 (twice as fast as Path)
    except OSError:
        return "missing"
    return f"{status.st_size}:{status.st_mtime_ns}"
