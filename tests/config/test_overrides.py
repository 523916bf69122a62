from typing import Any

import pytest

from sightline.config import component, load_text, place_of
from sightline.errors import SightlineError
from tests.config import settings
from tests.config.settings import Spec

TEXT = """\
name: digits
size: [1, 2]
model: {class_path: tests.config.settings.anything, init_args: {lr: 1, nested: {a: [1, 2]}}}
metrics:
  accuracy: {class_path: tests.config.settings.anything}
callbacks:
- {class_path: tests.config.settings.anything, init_args: {patience: 1ep}}
labels: {0: cat}
"""


def load(*overrides: str) -> Spec:
    return load_text(Spec, TEXT, overrides, name="spec.yaml")


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("name=other", lambda s: s.name == "other"),
        ("name=", None),
        ("name='3'", lambda s: s.name == "3"),
        ("name=a=b", lambda s: s.name == "a=b"),
        ("lr=1e-4", lambda s: s.lr == 1e-4),
        ("size=[3, 4]", lambda s: s.size == (3, 4)),
        ("size.1=5", lambda s: s.size == (1, 5)),
        ("labels.0=dog", lambda s: s.labels == {0: "dog"}),
        ("model=null", lambda s: s.model is None),
        ("model.lr=2", lambda s: s.model.init_args["lr"] == 2),
        ("model.init_args.lr=2", lambda s: s.model.init_args["lr"] == 2),
        ("model.momentum=2", lambda s: s.model.init_args["momentum"] == 2),
        ("model.nested.a.1=7", lambda s: s.model.init_args["nested"] == {"a": [1, 7]}),
        ("model.class_path=a.B", lambda s: s.model.class_path == "a.B"),
        (
            "model={class_path: tests.config.settings.anything}",
            lambda s: s.model == component(settings.anything),
        ),
        ("metrics.accuracy.k=3", lambda s: s.metrics["accuracy"].init_args == {"k": 3}),
        ("callbacks.0.patience=3ep", lambda s: s.callbacks[0].init_args == {"patience": "3ep"}),
        (
            "trainer.clip=1",
            lambda s: (s.trainer.clip, s.trainer.accumulate) == (1.0, 4),
        ),  # 4 is the default's
    ],
)
def test_overrides(override: str, value: Any) -> None:
    if value is None:
        with pytest.raises(SightlineError, match=f"^override '{override}': name: expected text, found null"):
            load(override)
    else:
        assert value(load(override))


def test_later_overrides_win() -> None:
    assert (
        load("model={class_path: a.B}", "model.lr=1", "model.lr=2").model
        == load("model={class_path: a.B, init_args: {lr: 2}}").model
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimzer.lr=1", "the specification has no 'optimzer'; it has name, seed, lr, "),
        ("modl.lr=1", "the specification has no 'modl'; did you mean 'model'?"),
        ("sed=1", "the specification has no 'sed'; did you mean 'seed'?"),
        ("trainer.clop=1", "'trainer' has no 'clop'; did you mean 'clip'?"),
        ("trainer.clip=x", "trainer.clip: expected number > 0 and <= 10 or null, found 'x'."),
        ("trainer.max_duration=3", "trainer.max_duration: expected duration, found 3."),
        ("model.nested.b=1", "'model.init_args.nested' has no 'b'; it has a."),
        ("model.nested.a.2=1", "'model.init_args.nested.a' has no item '2'; it has 2, counted from 0."),
        ("model.nested.a.x=1", "'model.init_args.nested.a' has no item 'x'; it has 2, counted from 0."),
        ("model.new.deep=1", "'model.init_args' has no 'new'; it has lr, nested."),
        ("metrics.acuracy.k=3", "'metrics' has no 'acuracy'; did you mean 'accuracy'?"),
        ("callbacks.1.x=1", "'callbacks' has no item '1'; it has 1, counted from 0."),
        ("name.x=1", "'name' is 'digits', with nothing in it; set all of 'name' instead."),
        ("extra.x=1", "'extra' is null, with nothing in it; set all of 'extra' instead."),
        ("definitions.x=1", "definitions are used up when the file is read; set the keys that use it."),
        ("seed", "write it as key.path=value, such as optimizer.lr=1e-3."),
        ("=1", "write it as key.path=value"),
        ("a..b=1", "write it as key.path=value"),
        ("seed=[1", "the bracket opened here is not closed"),
        ("seed=*x", "'*x' refers to nothing that is defined above"),
    ],
)
def test_what_leads_nowhere(override: str, message: str) -> None:
    with pytest.raises(SightlineError) as error:
        load(override)
    assert str(error.value).startswith(f"override '{override}': {message}")


def test_the_place_of_a_value_is_its_override() -> None:
    part = load("model.nested={a: {b: 1}}").model
    assert part is not None
    assert place_of(part, "init_args", "nested", "a") == (
        "override 'model.nested={a: {b: 1}}': model.init_args.nested.a"
    )
    assert place_of(part, "init_args", "lr") == "spec.yaml:3: model.init_args.lr"


def test_below_a_component_the_fields_of_its_config_are_known() -> None:
    text = "name: x\nmodel: {class_path: sightline.tasks.Supervised}\n"
    spec = load_text(Spec, text, ["model.loss.reduction=sum"])
    assert spec.model.init_args["loss"].init_args == {"reduction": "sum"}
    with pytest.raises(SightlineError, match=r"'model\.init_args' has no 'los'; did you mean 'loss'"):
        load_text(Spec, text, ["model.los=1"])
