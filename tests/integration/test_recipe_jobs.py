"""Jobs on what a recipe makes of hidden datasets."""

import json
import textwrap
from pathlib import Path

from sightline.data import Dataset
from tests.integration.conftest import World, write_package

LOOK = textwrap.dedent("""
    import collections
    from sightline import Dataset
    dataset = Dataset.from_name("digits")
    print("splits", dict(collections.Counter(dataset.samples["split"])), flush=True)
    print("readable", sum(sample.read_image().size > 0 for sample in dataset[:20]))
""")


def test_a_recipe_is_built_in_the_sandbox_and_found_again(
    world: World, tmp_path: Path, digits_folder: Path
) -> None:
    more = Dataset.from_path(digits_folder)[:50]
    more.replace(info=more.info.model_copy(update={"dataset_name": "more"})).write(world.owner.home / "more")
    world.owner.does("dataset", "publish", "more", "--sample", "5", "--release", "auto")
    recipe = {
        "source": {"merge": [{"source": "digits", "steps": [{"sample": {"n": 100}}]}, "more:1.0.0"]},
        "steps": [{"create_splits": {"ratios": {"train": 0.8, "test": 0.2}}}],
    }
    (world.developer.home / "small.json").write_text(json.dumps(recipe))
    assert "recipe 'small'" in world.developer.does("recipe", "create", "small.json")
    assert world.developer.asks("recipe", "show", "small") == world.developer.asks(
        "recipe", "show", "small.json"
    )
    assert world.developer.does("recipe", "show", "small", "--python").startswith("Recipe.merge([")
    package = write_package(tmp_path / "package", look=LOOK)
    command = ("--recipe", "small", "--trainer-path", str(package), "--cmd", "python scripts/look.py")
    output = world.developer.does("experiment", "create", "--name", "first", *command, "--follow")
    assert "building the recipe's dataset" in output
    assert "splits {'train': 120, 'test': 30}" in output
    assert "readable 20" in output
    again = world.developer.does("experiment", "create", "--name", "second", *command, "--follow")
    assert "building the recipe's dataset" not in again
    assert "splits {'train': 120, 'test': 30}" in again
    # On the developer's own machine the same recipe makes a dataset of the samples.
    world.developer.does("recipe", "build", "small.json", "--output", "built")
    assert len(Dataset.from_path(world.developer.home / "built")) == 65
    world.developer.does("recipe", "rm", "small", "--yes")
    assert world.developer.asks("recipe", "ls") == []


def test_a_recipe_that_cannot_be_built_ends_the_job_with_its_reason(world: World, tmp_path: Path) -> None:
    recipe = {"source": "digits", "steps": [{"filter": {"expression": "no_such_column = 1"}}]}
    (world.developer.home / "wrong.json").write_text(json.dumps(recipe))
    world.developer.does("recipe", "create", "wrong.json")
    package = write_package(tmp_path / "package", look=LOOK)
    done = world.developer.run(
        *("experiment", "create", "--name", "wrong", "--recipe", "wrong"),
        *("--trainer-path", str(package), "--cmd", "python scripts/look.py", "--follow"),
    )
    assert done.returncode != 0
    shown = world.developer.asks("experiment", "show", "wrong")
    assert shown["state"] == "failed"
    assert "recipe could not be built" in shown["reason"]
    assert "no_such_column" in shown["reason"]


def test_what_a_recipe_must_not_say(world: World) -> None:
    for recipe, sentence in [
        ({"path": "/etc"}, "reads published datasets, not files"),
        ({"source": "digits", "steps": ["shufle"]}, "did you mean 'shuffle'"),
        ({"source": "nothing"}, "Dataset 'nothing' is unknown"),
    ]:
        (world.developer.home / "bad.json").write_text(json.dumps(recipe))
        assert sentence in world.developer.is_refused("recipe", "create", "bad.json")
