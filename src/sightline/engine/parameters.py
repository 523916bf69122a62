"""Which parameters are trained, and how fast: freezing, and learning rates by layer."""

import fnmatch
import re
from typing import Any

from torch import nn
from torch.optim import Optimizer

from sightline.errors import SightlineError

_ENCODER = re.compile(r"(^|\.)(encoder|backbone)\.")
_REST = "the rest"  # what follows the encoder


def freeze(model: nn.Module, patterns: list[str]) -> list[str]:
    """Stop training the parameters whose names match; return their names.

    A frozen BatchNorm keeps its statistics only in eval mode, see `frozen_in_eval_mode`.

    Raises:
        SightlineError: a pattern matches nothing, or nothing is left to train.
    """
    frozen: list[str] = []
    parameters = dict(model.named_parameters())
    for pattern in patterns:
        names = [name for name in parameters if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            some = ", ".join(list(parameters)[:3])
            raise SightlineError(
                f"trainer.freeze: no parameter matches '{pattern}'; they are called {some} and so on."
            )
        frozen += names
    for name in frozen:
        parameters[name].requires_grad_(False)
    if parameters and not any(parameter.requires_grad for parameter in parameters.values()):
        raise SightlineError("trainer.freeze: nothing is left to train; freeze less.")
    return frozen


def frozen_in_eval_mode(model: nn.Module) -> list[nn.Module]:
    """Modules with parameters of which none is trained: they belong in eval mode, so that statistics stay."""
    return [
        module
        for module in model.modules()
        if (own := list(module.parameters())) and not any(parameter.requires_grad for parameter in own)
    ]


def parameter_groups(model: nn.Module, layer_decay: float | None) -> list[dict[str, Any]]:
    """What an optimizer is given: one group, or with ``layer_decay`` one for each layer.

    Layers are numbered as in the parameters' names (``blocks.3.``, ``layer2.``, ``stages.1.``): the last
    one, and what has no number and comes after, has the whole learning rate, each before it ``layer_decay``
    times that of the next, and what comes before the first the least (as in BEiT, arXiv:2106.08254). A
    normalisation belongs to the layer before it. What follows an ``encoder`` or ``backbone`` is one layer, as
    it is new. A group's ``lr_scale`` says so; `scale_rates` obeys it.

    Raises:
        SightlineError: there are no layers to tell apart.
    """
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    if layer_decay is None:
        return [{"params": [parameter for _, parameter in trained]}]
    layers = _layers(trained)
    if len(layers) < 2:
        raise SightlineError(
            "trainer.layer_decay: the model has no layers to tell apart by their names; leave it out."
        )
    return [
        {"params": members, "lr_scale": layer_decay ** (len(layers) - 1 - number), "layer": layer}
        for number, (layer, members) in enumerate(layers.items())
    ]


def scale_rates(optimizer: Optimizer) -> None:
    """Multiply the learning rate of each group of a new optimizer with the group's ``lr_scale``."""
    for group in optimizer.param_groups:
        group["lr"] *= group.get("lr_scale", 1.0)


def _layers(trained: list[tuple[str, nn.Parameter]]) -> dict[str, list[nn.Parameter]]:
    """The parameters of each layer, the first layer first."""
    ends = [number for number, (name, _) in enumerate(trained, start=1) if _ENCODER.search(name)]
    end = max(ends, default=len(trained))
    found: dict[str, list[nn.Parameter]] = {}
    for name, parameter in trained[:end]:
        found.setdefault(_layer(name), []).append(parameter)
    layers: dict[str, list[nn.Parameter]] = {}
    for layer, members in found.items():
        is_norm = all(parameter.ndim < 2 for parameter in members)
        layers.setdefault(next(reversed(layers)) if is_norm and layers else layer, []).extend(members)
    rest = [parameter for _, parameter in trained[end:]]
    return layers | ({_REST: rest} if rest else {})


def _layer(name: str) -> str:
    """The numbered part that a parameter's name begins with, or its first word."""
    numbered = re.match(r"(?:[A-Za-z_]+\.)*?[A-Za-z_]*\.?\d+(?=\.)", name)
    return numbered[0] if numbered else name.rpartition(".")[0].split(".")[0]
