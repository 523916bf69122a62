"""Classifiers of timm and of torchvision, for any number of classes and bands."""

from typing import Any

from torch import nn

from sightline.models.constructing import constructed
from sightline.models.image_sizes import any_size
from sightline.models.layers import replace_first_convolution

_INCEPTIONS = ("googlenet", "inception_v3")


def timm_classifier(name: str, classes: int, channels: int, options: dict[str, Any]) -> nn.Module:
    """A model of timm with random weights, for images of any size where it can be.

    Raises:
        SightlineError: an option is refused.
    """
    import timm

    settled: dict[str, Any] = {"num_classes": classes, "in_chans": channels, "pretrained": False}
    settled |= any_size(name, options)
    return constructed(f"timm/{name}", timm.create_model, options, model_name=name, **settled)


def torchvision_classifier(
    name: str, classes: int, channels: int, options: dict[str, Any], imagenet: bool
) -> nn.Module:
    """A classifier of torchvision with random weights, its first convolution made for ``channels`` bands.

    GoogLeNet and Inception v3 come without their auxiliary heads, so that they give one tensor as all do.

    Args:
        imagenet: whether torchvision's own weights will be loaded. Those of the two inceptions expect images
            that are normalised in another way, which they then do themselves.

    Raises:
        SightlineError: an option is refused.
    """
    from torchvision.models import get_model

    settled: dict[str, Any] = {"name": name, "num_classes": classes}
    if name in _INCEPTIONS:
        settled |= {
            "aux_logits": False,
            "init_weights": True,
            "transform_input": imagenet and channels == 3,
        }
    model = constructed(f"torchvision/{name}", get_model, options, **settled)
    if channels != 3:
        replace_first_convolution(model, channels)
    return model
