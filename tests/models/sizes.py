"""Options that make each listed model so small that a test of it takes a second."""

from typing import Any

import torch
from torch import Tensor, nn

from sightline.models import classifier, segmenter

IMAGE = 64

_CLASSIFIERS: dict[str, dict[str, Any]] = {
    "small_resnet": {"width": 4},
    "small_mlp": {"width": 8},
    "resnet50": {"layers": (1, 1, 1, 1)},
    "convnext_tiny": {"depths": (1, 1, 1, 1), "dims": (8, 16, 32, 64)},
    "vit_tiny_patch16_224": {"img_size": IMAGE, "depth": 2},
}
_LIGHT = {"encoder": "tu-mobilenetv3_small_050"}
_SEGMENTERS: dict[str, dict[str, Any]] = {
    "small_unet": {"width": 4},
    "aerialformer": {"embed_dim": 12, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)},
    "dinov2": {"embed_dim": 16, "depth": 4, "num_heads": 2, "width": 8},
    "dinov3": {"embed_dim": 16, "depth": 4, "num_heads": 2, "width": 8},
    "unet": _LIGHT | {"decoder_channels": (32, 16, 16, 8, 8)},
    "unetplusplus": _LIGHT | {"decoder_channels": (32, 16, 16, 8, 8)},
    "manet": _LIGHT | {"decoder_channels": (32, 16, 16, 8, 8)},
    "fpn": _LIGHT | {"decoder_pyramid_channels": 16, "decoder_segmentation_channels": 32},
    "deeplabv3plus": _LIGHT | {"decoder_channels": 16},
    "segformer": _LIGHT | {"decoder_segmentation_channels": 16},
    "upernet": _LIGHT | {"decoder_channels": 16},
    "dpt": {
        "encoder": "test_vit",
        "decoder_intermediate_channels": (8, 8, 8, 8),
        "decoder_fusion_channels": 8,
    },
}


def small_classifier(name: str, **settings: Any) -> nn.Module:
    """The listed classifier, small, with weights that a seed of its name decides."""
    torch.manual_seed(len(name))
    return classifier(name, **{"classes": 5, "channels": 4, **_CLASSIFIERS.get(name, {}), **settings})


def small_segmenter(name: str, **settings: Any) -> nn.Module:
    """The listed segmenter, small, with weights that a seed of its name decides."""
    torch.manual_seed(len(name))
    return segmenter(name, **{"classes": 5, "channels": 4, **_SEGMENTERS.get(name, {}), **settings})


def images(height: int = IMAGE, width: int = IMAGE, *, channels: int = 4, count: int = 2) -> Tensor:
    """Random images, always the same."""
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0))
