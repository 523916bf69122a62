import pickle
from pathlib import Path
from typing import Any

import pytest

from sightline.config import Component, Config, Key, build, describe, load_text, place_of, to_yaml
from sightline.errors import SightlineError
from tests.config.settings import Colour, Duration, Spec, Stopping, Trainer

TEXT = """\
definitions:
  lr: &lr fast
name: digits
model:
  class_path: torch.nn.Linear
  init_args: {in_features: 3, head: {class_path: torch.nn.ReLU}}
trainer:
  max_duration: 3ep
callbacks:
- class_path: torch.nn.Identity
"""


def load(text: str) -> Spec:
    return load_text(Spec, text, name="spec.yaml")


def test_python_and_yaml_give_equal_objects() -> None:
    text = "name: a\nlr: 1\nsize: [1, 2]\nfolder: x/y\ncolour: BLUE\nlabels: {0: cat}\ntrainer: {clip: 3}"
    made = Spec(
        name="a",
        lr=1,
        size=(1, 2),
        folder=Path("x/y"),
        colour=Colour.BLUE,
        labels={0: "cat"},
        trainer=Trainer(clip=3),
    )
    assert load(text) == made
    assert load("name: a") != made
    assert type(made.lr) is float


def test_equality_and_copies_do_not_care_where_it_was_written() -> None:
    assert load(f"# a comment\n\n{TEXT}".replace("&lr fast", "&lr 3").replace("3ep", "3ep\nlr: *lr")) == load(
        TEXT.replace("&lr fast", "&lr 3").replace("3ep", "3ep\nlr: *lr")
    )
    spec = load("name: a\n\ntrainer: {clip: 1}")
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert place_of(pickle.loads(pickle.dumps(spec)).trainer, "clip") == "spec.yaml:3: trainer.clip"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("trainer:", "trainr:", "spec.yaml:5: unknown key 'trainr'; did you mean 'trainer'?"),
        (
            "max_duration: 3ep",
            "max_durations: 3ep",
            "spec.yaml:6: trainer: unknown key 'max_durations'; did you mean 'max_duration'?",
        ),
        (
            "max_duration: 3ep",
            "length: 3",
            "spec.yaml:6: trainer: unknown key 'length'; it has max_duration, precision, clip, accumulate.",
        ),
        ("name: digits", "seed: 1", "spec.yaml: the key 'name' is missing; add it (text)."),
        ("digits", "3", "spec.yaml:1: name: expected text, found 3; put it in quotes."),
        ("digits", "a\nseed: 1.5", "spec.yaml:2: seed: expected whole number, found 1.5."),
        ("digits", "a\nseed: 1e3", "spec.yaml:2: seed: expected whole number, found 1000.0; write 1000."),
        ("digits", "a\nseed: true", "spec.yaml:2: seed: expected whole number, found true."),
        ("digits", "a\nlr: '1'", "spec.yaml:2: lr: expected number, found '1'; write 1 without quotes."),
        ("digits", "a\nlr: true", "spec.yaml:2: lr: expected number, found true."),
        ("digits", "a\nshuffle: no", "spec.yaml:2: shuffle: expected true or false, found 'no'."),
        ("digits", "a\nshuffle: 1", "spec.yaml:2: shuffle: expected true or false, found 1."),
        ("digits", "a\ncolour: green", "spec.yaml:2: colour: expected one of red, blue, found 'green'."),
        ("digits", "a\nsize: [1]", "spec.yaml:2: size: expected [whole number, whole number], found [1]."),
        ("digits", "a\nsize:\n- 1\n- x", "spec.yaml:4: size.1: expected whole number, found 'x'."),
        ("digits", "a\nfolder: 3", "spec.yaml:2: folder: expected path, found 3."),
        (
            "  max_duration: 3ep",
            "",
            "spec.yaml:5: trainer: expected mapping, found null; give a value or remove the key.",
        ),
        ("3ep", "3", "spec.yaml:6: trainer.max_duration: expected duration, found 3."),
        (
            "3ep",
            "3 epochs",
            "spec.yaml:6: trainer.max_duration: '3 epochs' is no duration; write 3ep or 500ba.",
        ),
        (
            "3ep",
            "3ep\n  clip: 11",
            "spec.yaml:7: trainer.clip: expected number > 0 and <= 10 or null, found 11.",
        ),
        (
            "3ep",
            "3ep\n  accumulate: 0",
            "spec.yaml:7: trainer.accumulate: expected whole number > 0, found 0.",
        ),
        (
            "3ep",
            "3ep\n  precision: fp16",
            "spec.yaml:7: trainer.precision: expected one of fp32, bf16, found 'fp16'.",
        ),
        (
            "- class_path: torch.nn.Identity",
            "  class_path: torch.nn.Identity",
            "spec.yaml:7: callbacks: expected list of component, found {class_path: 'torch.nn.Identity'}; "
            "begin each item with '- '.",
        ),
        (
            "- class_path:",
            "- class:",
            "spec.yaml:8: callbacks.0: unknown key 'class'; did you mean 'class_path'?",
        ),
        (
            "- class_path:",
            "- lr: 3\n  class_path:",
            "spec.yaml:8: callbacks.0: unknown key 'lr'; put arguments below 'init_args'.",
        ),
        (
            "- class_path: torch.nn.Identity",
            "- wait: 3",
            "spec.yaml:8: callbacks.0: unknown key 'wait'; "
            "a component is {class_path: ..., init_args: {...}}.",
        ),
        (
            "- class_path: torch.nn.Identity",
            "- torch.nn.Identity",
            "spec.yaml:8: callbacks.0: expected component, found 'torch.nn.Identity'; "
            "write {class_path: torch.nn.Identity}.",
        ),
        (
            "torch.nn.ReLU",
            "ReLU",
            "spec.yaml:4: model.init_args.head.class_path: 'ReLU' names no module; "
            "write package.module.Name or file.py:Name.",
        ),
        (
            "{class_path: torch.nn.ReLU}}",
            "{class_path: torch.nn.ReLU,\n    args: {}}}",
            "spec.yaml:5: model.init_args.head: unknown key 'args'; did you mean 'init_args'?",
        ),
    ],
)
def test_every_error_names_its_line_and_key(old: str, new: str, message: str) -> None:
    text = TEXT.replace("definitions:\n  lr: &lr fast\n", "")
    assert old in text
    with pytest.raises(SightlineError) as error:
        load(text.replace(old, new))
    assert str(error.value) == message


def test_a_wrong_value_behind_an_alias_is_named_where_it_is_used() -> None:
    with pytest.raises(SightlineError, match=r"^spec.yaml:4: lr: expected number, found 'fast'\.$"):
        load("definitions:\n  lr: &lr fast\nname: a\nlr: *lr")


def test_a_wrong_value_that_was_merged_is_named_where_it_is_written() -> None:
    with pytest.raises(SightlineError, match=r"^spec.yaml:2: trainer.clip: expected number"):
        load("definitions:\n  base: &base {clip: x}\nname: a\ntrainer: {<<: *base}")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "Spec: the key 'name' is missing; add it (text)."),
        ({"name": "a", "lrr": 1}, "Spec: unknown key 'lrr'; did you mean 'lr'?"),
        ({"name": "a", "trainer": {"clip": 11}}, "Spec: trainer.clip: expected number > 0 and <= 10 or null"),
        ({"name": "a", "model": {"class_path": 3}}, "Spec: model.class_path: expected text, found 3"),
    ],
)
def test_python_errors_name_the_key_path(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SightlineError) as error:
        Spec(**values)
    assert str(error.value).startswith(message)


def test_defaults_are_checked() -> None:
    class Wrong(Config):
        lr: float = "fast"  # type: ignore[assignment]

    with pytest.raises(SightlineError, match="Wrong: lr: expected number, found 'fast'"):
        Wrong()


def test_the_further_member_of_a_union_is_the_one_meant() -> None:
    class Either(Config):
        parts: Component | list[Component] | None = None

    with pytest.raises(
        SightlineError, match=r"^a:2: parts: unknown key 'init_arg'; did you mean 'init_args'\?$"
    ):
        load_text(Either, "parts:\n  {class_path: a.B, init_arg: {}}", name="a")
    with pytest.raises(SightlineError, match=r"^a:2: parts.0: unknown key 'init_arg'"):
        load_text(Either, "parts:\n- {class_path: a.B, init_arg: {}}", name="a")
    with pytest.raises(
        SightlineError, match=r"^a:1: parts: expected component or list of component or null, found 3"
    ):
        load_text(Either, "parts: 3", name="a")


def test_places() -> None:
    spec = load(TEXT.replace("definitions:\n  lr: &lr fast\n", ""))
    assert place_of(spec.trainer, "max_duration") == "spec.yaml:6: trainer.max_duration"
    assert place_of(spec.trainer, "clip") == "spec.yaml:5: trainer.clip"  # a default: the nearest around it
    assert place_of(spec.callbacks[0], "class_path") == "spec.yaml:8: callbacks.0.class_path"
    assert place_of(spec) == "spec.yaml"
    assert place_of(Trainer(), "clip", where="trainer") == "trainer.clip"


def test_loading_does_not_mark_shared_defaults() -> None:
    load(TEXT.replace("definitions:\n  lr: &lr fast\n", ""))
    assert place_of(load("name: a").trainer, "clip", where="trainer") == "trainer.clip"
    assert build(Component(class_path="tests.config.settings.anything")) == {}


def test_a_type_of_ones_own() -> None:
    stopping = load_text(Stopping, "patience: 5ep", ["least=2ep"])
    assert stopping == Stopping(patience=Duration(5), least=Duration(2))
    assert to_yaml(stopping) == "patience: 5ep\nleast: 2ep\n"
    assert describe(Stopping) == [
        Key("patience", "duration", "3ep", ""),
        Key("least", "duration or null", "null", ""),
    ]
    with pytest.raises(SightlineError, match=r"^a:1: least: 'x' is no duration; write 3ep\.$"):
        load_text(Stopping, "least: x", name="a")
