import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn, optim
from torchvision.models import ResNet18_Weights, resnet18

from sightline.config import Component, component, load_text
from sightline.errors import SightlineError
from tests.config.settings import Colour, Maker, Spec, Trainer


def from_yaml(text: str) -> Component | None:
    return load_text(Spec, f"name: a\nmodel: {text}").model


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (component(optim.AdamW, lr=1e-3), "{class_path: torch.optim.AdamW, init_args: {lr: 1e-3}}"),
        (
            component(optim.AdamW, betas=(0.9, 0.99)),
            "{class_path: torch.optim.AdamW, init_args: {betas: [0.9, 0.99]}}",
        ),
        (component(resnet18), "{class_path: torchvision.models.resnet18, init_args: }"),
        (component(nn.CrossEntropyLoss), "{class_path: torch.nn.CrossEntropyLoss}"),
        (
            component(resnet18, weights=ResNet18_Weights.IMAGENET1K_V1),
            "{class_path: torchvision.models.resnet18, init_args: {weights: IMAGENET1K_V1}}",
        ),
        (
            component(Maker.make, size=3),
            "{class_path: tests.config.settings.Maker.make, init_args: {size: 3}}",
        ),
        (
            component(
                nn.Sequential, parts=[component(nn.ReLU)], last={"x": component(nn.ReLU, inplace=True)}
            ),
            "{class_path: torch.nn.Sequential, init_args: {parts: [{class_path: torch.nn.ReLU}], "
            "last: {x: {class_path: torch.nn.ReLU, init_args: {inplace: true}}}}}",
        ),
        (
            component(
                nn.Linear,
                a=Path("x") / "y",
                b=Colour.RED,
                c=np.float64(0.5),
                d={2, 1},
                e=nn.ReLU,
                f=Trainer(),
            ),
            "{class_path: torch.nn.Linear, init_args: {a: x/y, b: red, c: .5, d: [1, 2], e: torch.nn.ReLU, "
            "f: {max_duration: 1ep, precision: fp32, clip: null, accumulate: 1}}}",
        ),
    ],
)
def test_python_and_yaml_give_equal_components(made: Component, text: str) -> None:
    assert from_yaml(text) == made


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda x: x, "'<lambda>' has no class path; define it at the top level of a module, by name."),
        (
            functools.partial(print, 1),
            "an object of type partial has no class path; give the class or function",
        ),
        (nn.Linear(1, 1), "an object of type Linear has no class path"),
    ],
)
def test_what_has_no_class_path(target: Any, message: str) -> None:
    with pytest.raises(SightlineError) as error:
        component(target)
    assert message in str(error.value)


def test_what_cannot_be_written() -> None:
    with pytest.raises(SightlineError) as error:
        component(nn.Sequential, parts=[1, {"x": nn.Linear(1, 1)}])
    assert str(error.value) == (
        "Component: init_args.parts.1.x: an object of type Linear cannot be written in a specification; "
        "write component(Linear, ...)."
    )
    with pytest.raises(SightlineError, match=r"the key \(1, 2\) cannot be written in YAML"):
        component(nn.Sequential, parts={(1, 2): 3})
