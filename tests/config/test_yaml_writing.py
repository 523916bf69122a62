import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sightline.config import Component, Config, difference, load_text, to_yaml
from sightline.errors import SightlineError
from tests.config.settings import Colour, Spec, Trainer

WORDS = [
    "no",
    "on",
    "1e3",
    "1e-3",
    "3ep",
    "",
    "null",
    "~",
    "<<",
    "=",
    "0o10",
    "1:30",
    "2026-01-02",
    "- a",
    "a: b",
]
TRICKY = [
    *WORDS,
    "# x",
    " x ",
    "x\n",
    "\nx",
    "a\n b\n\nc",
    "a\u2028b\nc",
    "\x85",
    "\ufeff",
    "é 漢 🙂",
    "\t",
    "a\tb\n",
]
texts = st.one_of(st.sampled_from(TRICKY), st.text(max_size=20), st.text("a \n:#'\"-", max_size=12))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts)
keys = st.one_of(texts.filter(lambda text: text != "class_path"), st.integers())


def component_of(arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Component]:
    paths = st.sampled_from(["a.B", "path/to/file.py:Name.make", "torch.optim.AdamW"])
    args = st.dictionaries(texts.filter(lambda text: text != "class_path"), arguments, max_size=3)
    return st.builds(Component, class_path=paths, init_args=args)


values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3), component_of(inner)
    ),
    max_leaves=8,
)
components = component_of(values)
specs = st.builds(
    Spec,
    name=texts,
    seed=st.integers(),
    lr=st.floats(allow_nan=False),
    shuffle=st.booleans(),
    colour=st.sampled_from(Colour),
    size=st.tuples(st.integers(), st.integers()),
    folder=texts.map(lambda text: Path(text.replace("\0", ""))),
    extra=scalars,
    labels=st.dictionaries(st.integers(), texts, max_size=2),
    model=st.none() | components,
    trainer=st.builds(Trainer, clip=st.none() | st.floats(0.1, 10)),
    metrics=st.dictionaries(texts, components, max_size=2),
    callbacks=st.lists(components, max_size=2),
)


@given(specs)
@example(Spec(name="a", lr=math.inf, extra=-math.inf))
def test_loading_what_was_written_gives_an_equal_object(spec: Spec) -> None:
    text = to_yaml(spec)
    assert load_text(Spec, text) == spec
    assert difference(spec, load_text(Spec, text)) == []


@given(specs)
def test_other_readers_of_yaml_find_the_same_text(spec: Spec) -> None:
    assert yaml.safe_load(to_yaml(spec))["name"] == spec.name


def test_not_a_number_comes_back() -> None:
    back = load_text(Spec, to_yaml(Spec(name="a", lr=math.nan)))
    assert math.isnan(back.lr)


def test_it_reads_well() -> None:
    spec = load_text(
        Spec,
        "name: |\n  two\n  lines\nmodel: {class_path: a.B, init_args: {betas: [0.9, 1e-8], x: [{y: 1}]}}",
    )
    assert to_yaml(spec).startswith(
        """\
name: |
  two
  lines
seed: 0
lr: 0.001
shuffle: true
colour: red
size: [32, 32]
folder: runs
extra: null
labels: {}
model:
  class_path: a.B
  init_args:
    betas: [0.9, 1.0e-08]
    x:
      - y: 1
trainer:
  max_duration: 1ep
"""
    )
    assert not re.search(r"[&*]\w+", to_yaml(spec))


def test_what_cannot_be_written_is_named() -> None:
    class Anything(Config):
        value: Any = None

    with pytest.raises(
        SightlineError, match=r"^Anything: value.0: an object of type object cannot be written"
    ):
        to_yaml(Anything(value=[object()]))
