"""`sightline recipe`, and experiments on recipes, against a real service."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.data import Dataset
from tests.cli.conftest import Person


@pytest.fixture(scope="module")
def recipe(owner: Person, developer: Person, squares: Path, published: str) -> Iterator[Path]:
    """A recipe's file, which merges two datasets on the service."""
    rings = Dataset.from_path(squares)
    rings.replace(info=rings.info.model_copy(update={"dataset_name": "rings", "version": "2.0.0"})).write(
        owner.home / "rings"
    )
    owner.ok("dataset", "publish", owner.home / "rings", "--sample", "4", "--title", "Rings")
    path = developer.home / "both.json"
    path.write_text(json.dumps({"source": {"merge": [published, "rings"]}}))
    developer.ok("recipe", "create", path)
    yield path
    owner.ok("dataset", "delete", "rings", "--yes")


def test_a_second_recipe_of_a_name_asks_for_overwrite(developer: Person, recipe: Path) -> None:
    again = developer("recipe", "create", recipe)
    assert again.code == 1
    assert again.err == (
        "error: you have a recipe 'both' already; replace it with --overwrite, or give this one another "
        "--name.\n"
    )
    developer.ok("recipe", "create", recipe, "--overwrite")
    assert developer.ok("recipe", "ls").out.count("squares + rings") == 1


def test_experiments_name_all_datasets_of_a_recipe(developer: Person, recipe: Path, package: Path) -> None:
    words = ("experiment", "create", "--recipe", recipe.stem, "--trainer-path", package, "--json")
    made = developer.ok(*words).json
    try:
        assert made["datasets"] == ["squares:1.0.0", "rings:2.0.0"]
        assert "squares + rings" in developer.ok("experiment", "ls").out
        assert "squares:1.0.0 + rings:2.0.0" in developer.ok("experiment", "show", made["id"]).out
    finally:
        developer.ok("experiment", "cancel", made["id"])
