"""Backbones by name: a network that gives features of an image at several strides."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from sightline.errors import SightlineError
from sightline.models.constructing import constructed
from sightline.models.detection.plain import PlainBackbone
from sightline.models.names import Catalogue, ModelName, timm_names

BACKBONES: Catalogue = {"sightline": lambda: ("plain",), "timm": timm_names}
"""What `detector("light", backbone=...)` takes."""


_PLAIN_STRIDES = [2, 4, 8, 16, 32]


class Backbone(NamedTuple):
    """A network whose features at some strides have these ``channels``, finest first.

    ``channels_last``: they are (B, height, width, channels) rather than (B, channels, height, width).
    """

    module: nn.Module
    channels: tuple[int, ...]
    channels_last: bool = False


def build_backbone(
    name: ModelName, channels: int, strides: Sequence[int], options: dict[str, Any]
) -> Backbone:
    """A backbone with random weights that gives features at ``strides``, or at the first of them.

    Raises:
        SightlineError: it has none at the first of the strides, or refuses an option.
    """
    if name.library == "timm":
        return _timm(name, channels, strides, options)
    places = _places(name, _PLAIN_STRIDES, strides)
    given = [_PLAIN_STRIDES[place] for place in places]
    module = constructed(str(name), PlainBackbone, options, channels=channels, strides=given)
    return Backbone(module, module.channels)


def _timm(name: ModelName, channels: int, strides: Sequence[int], options: dict[str, Any]) -> Backbone:
    import timm

    settled: dict[str, Any] = {
        "model_name": name.name,
        "pretrained": False,
        "features_only": True,
        "in_chans": channels,
    }
    module: Any = constructed(str(name), timm.create_model, options, **settled)
    stages = module.feature_info.info
    places = _places(name, [stage["reduction"] for stage in stages], strides)
    if tuple(places) != tuple(module.feature_info.out_indices):  # stages that nothing looks at cost time
        module = constructed(str(name), timm.create_model, options, out_indices=tuple(places), **settled)
    widths = tuple(stages[place]["num_chs"] for place in places)
    return Backbone(module, widths, str(getattr(module, "output_fmt", "")).endswith("NHWC"))


def _places(name: ModelName, has: list[int], strides: Sequence[int]) -> list[int]:
    """The numbers of the stages at those of ``strides`` that there are: the last ones, which saw the most."""
    found = [len(has) - 1 - has[::-1].index(stride) for stride in strides if stride in has]
    if not found or [has[place] for place in found] != list(strides[: len(found)]):
        listed = ", ".join(map(str, sorted(set(has))))
        raise SightlineError(
            f"{name}: has features at the strides {listed}; choose `strides` that begin with one of them."
        )
    return found
