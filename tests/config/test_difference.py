import math

from sightline.config import ABSENT, Change, component, difference
from tests.config import settings
from tests.config.settings import Spec, Trainer


def test_changes_are_named_by_their_path() -> None:
    old = Spec(name="a", model=component(settings.anything, lr=1e-3, a=1), callbacks=[])
    new = Spec(
        name="a",
        model=component(settings.anything, lr=3e-4, b=None),
        callbacks=[component(settings.anything)],
        trainer=Trainer(clip=1.0, accumulate=4),
    )
    assert difference(old, new) == [
        Change("model.init_args.lr", 1e-3, 3e-4),
        Change("model.init_args.a", 1, ABSENT),
        Change("model.init_args.b", ABSENT, None),
        Change("trainer.clip", None, 1.0),
        Change("callbacks.0", ABSENT, {"class_path": "tests.config.settings.anything"}),
    ]
    assert [str(change) for change in difference(old, new)][:4] == [
        "model.init_args.lr: 0.001 -> 0.0003",
        "model.init_args.a: 1 -> (absent)",
        "model.init_args.b: (absent) -> null",
        "trainer.clip: null -> 1.0",
    ]


def test_what_is_the_same() -> None:
    assert difference({"a": math.nan, "b": 1}, {"b": 1.0, "a": math.nan}) == []
    assert difference({"a": 1}, {"a": True}) == [Change("a", 1, True)]
    assert difference({"a": {}}, {"a": None}) == [Change("a", {}, None)]
