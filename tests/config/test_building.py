import collections
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn, optim
from torch.optim.lr_scheduler import OneCycleLR
from torchvision.models import ResNet18_Weights, resnet18

from sightline.config import Component, build, check, component, load_text, place_of
from sightline.errors import SightlineError
from tests.config import settings
from tests.config.settings import (
    Colour,
    DigitsTask,
    Holder,
    Leaf,
    Lenient,
    NotAConfig,
    Spec,
    Trainer,
    Unnamed,
)


def from_yaml(text: str) -> Component:
    part = load_text(Spec, f"name: a\nmodel:\n{text}", name="spec.yaml").model
    assert part is not None
    return part


def test_optimizer_and_scheduler_with_late_arguments() -> None:
    model = build(component(nn.Linear, in_features=2, out_features=1))
    part = component(optim.AdamW, lr=1, betas=(0.8, 0.9))
    optimizer = build(part, model.parameters())
    assert optimizer.defaults["betas"] == (0.8, 0.9)
    assert type(optimizer.defaults["lr"]) is float
    assert type(build(part, params=model.parameters())) is optim.AdamW
    schedule = component(OneCycleLR, max_lr=0.1, total_steps=10, anneal_strategy="linear")
    check(schedule, late=1)
    check(schedule, late=["optimizer"])
    assert type(build(schedule, optimizer)) is OneCycleLR


def test_nested_components_are_built_first() -> None:
    loss = build(
        component(nn.CrossEntropyLoss, weight=component(torch.tensor, data=[1.0, 2.0]), label_smoothing=0.1)
    )
    assert loss.weight.tolist() == [1, 2]
    made = build(component(settings.anything, a=[component(nn.ReLU), 1], b={"c": component(nn.Tanh)}))
    assert isinstance(made["a"][0], nn.ReLU)
    assert isinstance(made["b"]["c"], nn.Tanh)


def test_any_name_goes_where_it_is_taken() -> None:
    assert build(component(resnet18, num_classes=7)).fc.out_features == 7
    assert build(component(collections.Counter, a=1)) == {"a": 1}


def test_values_become_what_the_annotation_wants() -> None:
    made = build(
        component(Holder, path="a", pair=[1, 2], colour="BLUE", nested={"clip": 1}, function="torch.nn.ReLU")
    )
    assert made == Holder(
        path=Path("a"), pair=(1.0, 2.0), colour=Colour.BLUE, nested=Trainer(clip=1), function=nn.ReLU
    )
    part = component(nn.ReLU)
    assert build(component(Holder, part=part)).part is not None
    assert build(component(Holder, part=part)).part == part  # annotated as a component: not built
    assert build(component(Holder, count=None, names=["a"], unknown=object.__name__)).names == ["a"]
    assert build(component(settings.untyped, values=[1])) == [1]
    check(component(resnet18, weights=ResNet18_Weights.IMAGENET1K_V1))


def test_every_error_names_its_line() -> None:
    def message(text: str, *late: str) -> str:
        with pytest.raises(SightlineError) as error:
            check(from_yaml(text), late=late)
        with pytest.raises(SightlineError) as built:
            build(from_yaml(text), **cast(Any, dict.fromkeys(late, ())))
        assert str(built.value) == str(error.value)
        return str(error.value)

    adam = "  class_path: torch.optim.AdamW\n  init_args:\n    "
    assert message(f"{adam}lr: abc", "params") == (
        "spec.yaml:5: model.init_args.lr: expected number or Tensor, found 'abc'."
    )
    assert message(f"{adam}lrr: 1", "params") == (
        "spec.yaml:5: model.init_args: torch.optim.AdamW has no argument 'lrr'; did you mean 'lr'?"
    )
    assert message(f"{adam}params: []", "params") == (
        "spec.yaml:5: model.init_args: the engine provides 'params' of torch.optim.AdamW; remove it."
    )
    assert message(f"{adam}lr: 1") == (
        "spec.yaml:2: model: torch.optim.AdamW needs the argument 'params'; add it to init_args."
    )
    assert message(f"{adam}betas:\n    - 0.9\n    - x", "params") == (
        "spec.yaml:7: model.init_args.betas.1: expected number or Tensor, found 'x'."
    )
    assert message(f"{adam}amsgrad: no", "params") == (
        "spec.yaml:5: model.init_args.amsgrad: expected true or false, found 'no'."
    )
    assert message("  class_path: torch.nn.ReLU", "params") == (
        "spec.yaml:3: model.class_path: torch.nn.ReLU does not take the argument 'params', "
        "which it is given here; name another class or function."
    )
    assert message("  class_path: math.pi") == (
        "spec.yaml:3: model.class_path: math.pi is a float; name a class or function."
    )
    assert message("  class_path: torch.nn.Rel") == (
        "spec.yaml:3: model.class_path: cannot import 'torch.nn.Rel': torch.nn has no 'Rel'; "
        "did you mean 'ReLU'?"
    )
    loss = "  class_path: torch.nn.CrossEntropyLoss\n  init_args:\n    "
    nested = f"{loss}weight:\n      class_path: torch.nn.ReLU\n"
    assert message(f"{nested}      init_args:\n        inplce: true") == (
        "spec.yaml:8: model.init_args.weight.init_args: torch.nn.ReLU has no argument 'inplce'; "
        "did you mean 'inplace'?"
    )
    holder = "  class_path: tests.config.settings.Holder\n  init_args:\n    "
    assert message(f"{holder}nested:\n      clip: 11") == (
        "spec.yaml:6: model.init_args.nested.clip: expected number > 0 and <= 10 or null, found 11."
    )
    assert (
        message(f"{holder}mode: c") == "spec.yaml:5: model.init_args.mode: expected one of a, b, found 'c'."
    )
    assert message(f"{holder}function: torch.nn.Rel").startswith(
        "spec.yaml:5: model.init_args.function: cannot import"
    )
    with pytest.raises(
        SightlineError, match=r"^spec.yaml:5: model.init_args.weight: expected Tensor or null, found"
    ):
        build(from_yaml(nested))  # what the inner component gives is only known once it is built


def test_override_is_named() -> None:
    text = "name: a\nmodel: {class_path: torch.optim.AdamW, init_args: {lr: 1}}"
    part = load_text(Spec, text, ["model.lr=abc"]).model
    assert part is not None
    with pytest.raises(
        SightlineError, match=r"^override 'model.lr=abc': model.init_args.lr: expected number or T"
    ):
        check(part, late=1)


@pytest.mark.parametrize(
    ("part", "where", "message"),
    [
        (
            component(nn.Linear, in_features="a", out_features=1),
            "model",
            "model.init_args.in_features: expected whole number, found 'a'.",
        ),
        (
            component(nn.Linear, in_features="a", out_features=1),
            "",
            "torch.nn.Linear: init_args.in_features: expected whole number, found 'a'.",
        ),
        (component(nn.Linear, out_features=1), "", "torch.nn.Linear needs the argument 'in_features'"),
        (
            component(settings.anything, a=[component(nn.ReLU, x=1)]),
            "model",
            "model.init_args.a.0.init_args: torch.nn.ReLU has no argument 'x'; it takes inplace.",
        ),
    ],
)
def test_python_components_are_named_by_where(part: Component, where: str, message: str) -> None:
    with pytest.raises(SightlineError) as error:
        check(part, where=where)
    assert str(error.value).startswith(message)


def test_exceptions_of_a_constructor() -> None:
    with pytest.raises(SightlineError) as error:
        build(from_yaml("  class_path: tests.config.settings.fails"))
    assert str(error.value) == r"spec.yaml:2: model: tests.config.settings.fails failed: KeyError: 'one\ntwo'"
    assert isinstance(error.value.__cause__, KeyError)
    with pytest.raises(SightlineError, match=r"^spec.yaml:2: model: the folder x is empty; fill it\.$"):
        build(from_yaml("  class_path: tests.config.settings.refuses"))
    check(from_yaml("  class_path: tests.config.settings.refuses"))  # nothing is called


@pytest.mark.parametrize("task_class", [DigitsTask, Leaf, Lenient])
def test_init_args_of_a_task_are_its_config(task_class: Any) -> None:
    part = component(task_class, width=3, head=component(nn.ReLU))
    check(part)
    check(part, late=["device"])
    task = build(part, device="cuda")
    assert task.config == settings.Digits(width=3, head=component(nn.ReLU))
    assert task.device == "cuda"
    task = build(from_yaml("  class_path: tests.config.settings.Leaf\n  init_args:\n    width: 3"))
    assert place_of(task.config, "width") == "spec.yaml:5: model.init_args.width"


def test_errors_in_the_config_of_a_task() -> None:
    start = "  class_path: tests.config.settings.DigitsTask\n  init_args:\n    "
    for text, message in (
        ("widht: 3", "spec.yaml:5: model.init_args: unknown key 'widht'; did you mean 'width'?"),
        ("width: 0", "spec.yaml:5: model.init_args.width: expected whole number > 0, found 0."),
        (
            "head: {class_path: a.B}",
            "spec.yaml:4: model.init_args: the key 'width' is missing; add it (whole",
        ),
        ("device: cuda", "spec.yaml:5: model.init_args: unknown key 'device'; it has width, head."),
    ):
        for act in (check, build):
            with pytest.raises(SightlineError) as error:
                act(from_yaml(start + text))
            assert str(error.value).startswith(message)
    with pytest.raises(
        SightlineError, match=r"class_path: Unnamed does not say what its configuration is; write `cl"
    ):
        build(component(Unnamed))
    with pytest.raises(
        SightlineError, match=r"class_path: NotAConfig is a Task\[int\], but int is not a Config"
    ):
        build(component(NotAConfig))
