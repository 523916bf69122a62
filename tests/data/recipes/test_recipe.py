import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.data.operations import OPERATIONS
from sightline.data.recipes import FolderSource, NamedSource, Recipe, Step
from sightline.errors import SightlineError

VERSIONS = st.none() | st.sampled_from(["1.0.0", "2.13.4"])
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
STEPS = st.lists(
    st.builds(lambda seed: Step.of_json({"shuffle": {"seed": seed}}, "x"), st.integers(0, 9)), max_size=3
).map(tuple)
SOURCES = st.builds(NamedSource, NAMES, VERSIONS) | st.builds(FolderSource, NAMES)
RECIPES = st.recursive(
    st.builds(Recipe, SOURCES, STEPS),
    lambda inner: st.lists(inner, min_size=2, max_size=3).map(Recipe.merge),
    max_leaves=4,
)


@given(RECIPES)
def test_json_and_python_are_the_same_recipe(recipe):
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.hash == recipe.hash
    assert eval(repr(recipe), {"Recipe": Recipe}) == recipe


@given(RECIPES, RECIPES)
def test_recipes_are_equal_where_their_hashes_are(one, other):
    assert (one == other) == (one.hash == other.hash)


def test_defaults_are_written_out():
    recipe = Recipe.from_name("digits").shuffle()
    assert recipe == Recipe.from_name("digits").shuffle(0) == Recipe.from_name("digits").shuffle(seed=0)
    assert recipe.to_value() == {"source": {"name": "digits"}, "steps": [{"shuffle": {"seed": 0}}]}


def test_short_forms():
    assert Recipe.from_json('"digits"') == Recipe.from_name("digits")
    assert Recipe.from_json('"digits:1.2.3"') == Recipe.from_name("digits", "1.2.3")
    assert Recipe.from_json('{"path": "here"}') == Recipe.from_path("here")
    assert (
        Recipe.from_json('{"source": "digits", "steps": ["shuffle"]}') == Recipe.from_name("digits").shuffle()
    )


def test_the_version_is_part_of_the_hash():
    hashes = {Recipe.from_name("digits", version).hash for version in (None, "1.0.0", "1.0.1")}
    assert len(hashes) == 3


def test_the_hash_is_the_same_in_every_process():
    recipe = "Recipe.merge([Recipe.from_name('a'), Recipe.from_name('b').shuffle()])"
    code = f"from sightline.data.recipes import Recipe; print({recipe}.hash)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != b""


def test_every_operation_is_a_method():
    recipe = Recipe.from_name("digits")
    for name in OPERATIONS:
        assert callable(getattr(recipe, name))
        assert name in dir(recipe)
    with pytest.raises(AttributeError, match="no operation 'shufle'"):
        recipe.shufle()


def test_names_and_files():
    recipe = Recipe.merge(
        [Recipe.from_name("a"), Recipe.merge([Recipe.from_path("b"), Recipe.from_name("a")])]
    )
    assert recipe.names() == [NamedSource("a")]
    assert recipe.reads_files() == ["b"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"steps": []}, "recipe: has steps but no 'source'"),
        ([], "recipe: a source is a name or an object"),
        ({"source": "a", "stepps": []}, "recipe: 'stepps' is not one of source, steps"),
        ({"source": "a", "steps": {}}, "recipe: 'steps' must be a list"),
        ({"source": "a", "steps": [{"shufle": {}}]}, r"steps\[0\]: there is no operation 'shufle'; did"),
        ({"source": "a", "steps": [{"shuffle": {"sed": 1}}]}, "has no argument 'sed'; did you mean 'seed'"),
        ({"source": "a", "steps": [{"shuffle": {"seed": "x"}}]}, "argument 'seed' of 'shuffle'"),
        ({"source": "a", "steps": [{"shuffle": [1]}]}, "arguments of 'shuffle' must be an object"),
        ({"source": "a", "steps": [{"shuffle": {}, "sample": {}}]}, "a step is written as"),
        ({"source": {"merge": ["a"]}}, "two recipes or more"),
        ({"source": {"merge": ["a", {"nam": "b"}]}}, r"recipe.source.merge\[1\]: a source has one of"),
        ({"source": {"name": "a", "version": "1"}}, "version '1' is not semantic"),
        ({"source": {"name": "../a"}}, "recipe.source: dataset name '../a'"),
        ({"source": {"path": "a", "format": "sightlin"}}, "no format 'sightlin'; did you mean 'sightline'"),
        ({"source": {"path": "a", "options": {"chek_images": 1}}}, "no option 'chek_images'"),
        ({"source": {"path": 1}}, "'path' must be text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(value, problem):
    with pytest.raises(SightlineError, match=problem):
        Recipe.from_json(json.dumps(value))


def test_files_are_named(tmp_path: Path):
    for content, problem in [
        (b"{", "not valid JSON at line 1"),
        (b"\xff", "not UTF-8"),
        (b"[]", "a source is"),
    ]:
        path = tmp_path / "recipe.json"
        path.write_bytes(content)
        with pytest.raises(SightlineError, match=f"recipe.json: .*{problem}"):
            Recipe.from_file(path)
    with pytest.raises(SightlineError, match=r"gone.json: cannot be read \(No such file"):
        Recipe.from_file(tmp_path / "gone.json")
