import os
from pathlib import Path

import pytest

from sightline.data import Dataset, DatasetInfo
from sightline.data.recipes import Recipe
from sightline.data.recipes.building import build_to
from sightline.errors import SightlineError
from tests.data.factory import classification_dataset


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    folder = tmp_path / "pets"
    classification_dataset(tmp_path / "images", {("train", "cat"): 6, ("test", "dog"): 4}).write(folder)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def built(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()}


def test_a_recipe_does_what_the_methods_do(pets, cache):
    recipe = Recipe.from_path(pets).shuffle(seed=3)
    expected = Dataset.from_path(pets).shuffle(seed=3).samples.drop("file_path")
    assert recipe.build(cache=None).samples.drop("file_path").equals(expected)
    assert recipe.build(cache=cache).samples.drop("file_path").equals(expected)


def test_what_was_built_is_found_again(pets, cache):
    recipe = Recipe.from_path(pets).shuffle(seed=3)
    first = recipe.build(cache=cache)
    [folder] = cache.iterdir()
    marker = folder / "marker"
    marker.touch()
    assert recipe.build(cache=cache).samples.equals(first.samples)
    assert marker.exists()
    recipe.build(cache=cache, force=True)
    assert not marker.exists()
    assert len(built(cache)) == 1


def test_the_cache_knows_recipe_version_annotations_and_images(pets, cache):
    recipe = Recipe.from_path(pets).shuffle(seed=3)
    recipe.build(cache=cache)
    Recipe.from_path(pets).shuffle(seed=4).build(cache=cache)
    assert len(built(cache)) == 2
    dataset = Dataset.from_path(pets)
    dataset.replace(info=dataset.info.model_copy(update={"version": "1.0.1"})).write(pets, overwrite=True)
    assert recipe.build(cache=cache).info.version == "1.0.1"
    assert len(built(cache)) == 3
    dataset[:5].write(pets, overwrite=True)
    assert len(recipe.build(cache=cache)) == 5
    os.utime(Dataset.from_path(pets)[0].file_path, (1, 1))
    recipe.build(cache=cache)
    assert len(built(cache)) == 5


def test_the_cache_knows_the_files_that_steps_read(pets, cache, tmp_path):
    manifest = tmp_path / "splits.json"
    whole = Dataset.from_path(pets)
    recipe = Recipe.from_path(pets).apply_split_manifest(str(manifest))
    for ratios in ({"train": 1.0}, {"test": 1.0}):
        whole.create_splits(ratios).write_split_manifest(manifest)
        assert set(recipe.build(cache=cache).samples["split"]) == set(ratios)


def test_a_damaged_cache_is_built_anew(pets, cache):
    recipe = Recipe.from_path(pets).shuffle()
    first = recipe.build(cache=cache)
    Path(first[0].file_path).unlink()
    assert recipe.build(cache=cache).samples.equals(first.samples)
    assert Path(first[0].file_path).exists()


def test_merged_recipes(pets, cache):
    cats = Recipe.from_path(pets).shuffle(seed=1)
    merged = Recipe.merge([cats, Recipe.from_path(pets)]).build(cache=None)
    assert len(merged) == 20


def test_steps_that_write_images(pets, cache):
    recipe = Recipe.from_path(pets).tile(size=8).sample(n=3)
    tiles = recipe.build(cache=cache)
    assert tiles.check("decode").is_empty()
    assert [(sample.height, sample.width) for sample in tiles] == [(8, 8)] * 3
    assert len(built(cache)) == 1
    with pytest.raises(SightlineError, match="step 'tile' writes images; build the recipe with a cache"):
        recipe.build(cache=None)


def test_a_step_that_fails_is_named(pets):
    recipe = Recipe.from_path(pets).shuffle().create_split_dataset("validation")
    with pytest.raises(
        SightlineError, match=r"recipe step 2 \('create_split_dataset'\): .*no split 'validation'"
    ):
        recipe.build(cache=None)


def test_a_source_that_is_not_there(tmp_path, cache):
    with pytest.raises(SightlineError, match="gone: no such folder"):
        Recipe.from_path(tmp_path / "gone").build(cache=cache)
    assert not cache.exists()


def test_nothing_is_left_of_a_build_that_fails(pets, cache):
    recipe = Recipe.from_path(pets).create_split_dataset("validation")
    with pytest.raises(SightlineError):
        recipe.build(cache=cache)
    assert not cache.exists() or not built(cache)


def test_an_empty_dataset_can_be_built(tmp_path, cache):
    Dataset.from_samples([], DatasetInfo(dataset_name="none")).write(tmp_path / "none")
    assert len(Recipe.from_path(tmp_path / "none").shuffle().build(cache=cache)) == 0


@pytest.fixture
def job(tmp_path, monkeypatch) -> Path:
    """The dataset folder of a job, which we are in from now on."""
    folder = tmp_path / "job"
    monkeypatch.setenv("SIGHTLINE_JOB", "1")
    monkeypatch.setenv("SIGHTLINE_DATASET_DIR", str(folder))
    return folder


def test_in_a_job_that_was_started_with_it_a_recipe_is_built_already(pets, job):
    recipe = Recipe.from_name("pets").shuffle(seed=3).sample(n=5)
    build_to(recipe, {recipe.source: Dataset.from_path(pets)}, job)
    given = Dataset.from_path(job).samples
    assert Dataset.from_recipe(recipe).samples.equals(given)
    assert Dataset.from_recipe(recipe.to_value()).samples.equals(given)
    assert len(recipe.sample(n=2).build(cache=None)) == 2


def test_in_another_job_a_recipe_is_applied_to_its_dataset(pets, job):
    Dataset.from_path(pets).write(job)
    assert len(Recipe.from_name("whatever").sample(n=3).build(cache=None)) == 3
    with pytest.raises(SightlineError, match="merges 'a', 'b', but a job has one dataset"):
        Recipe.merge([Recipe.from_name("a"), Recipe.from_name("b")]).build(cache=None)


def test_a_recipe_from_a_file(pets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "recipe.json"
    file.write_text(Recipe.from_path("pets").sample(n=3).to_json())
    assert len(Dataset.from_recipe(file)) == len(Dataset.from_recipe(str(file))) == 3
    assert (tmp_path / ".data" / "recipes").is_dir()
