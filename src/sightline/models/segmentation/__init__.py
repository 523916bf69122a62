"""Segmenters by name: own nets, the architectures of segmentation-models-pytorch, ViTs with a light head."""

from typing import Any

from torch import nn

from sightline.config.wording import instead
from sightline.errors import SightlineError
from sightline.models.constructing import checked_sizes, constructed
from sightline.models.names import Catalogue, ModelName, resolved, smp_names, timm_names
from sightline.models.pretrained import Pretrained, load_pretrained
from sightline.models.segmentation.aerialformer import aerialformer
from sightline.models.segmentation.small_unet import small_unet
from sightline.models.segmentation.smp_architectures import ARCHITECTURES, DEFAULT_ENCODERS, smp_segmenter
from sightline.models.segmentation.vit_segmenter import vit_segmenter

_ENCODERS = {
    "aerialformer": "swin_tiny_patch4_window7_224",
    "dinov2": "vit_small_patch14_dinov2",
    "dinov3": "vit_small_patch16_dinov3",
    **DEFAULT_ENCODERS,
}
"""The segmenters that stand on an encoder, and the one they have by default."""

SEGMENTERS = ("small_unet", *_ENCODERS)
"""All segmenters by name."""

_CATALOGUE: Catalogue = {"timm": timm_names, "smp": smp_names}


def segmenter(
    name: str,
    *,
    encoder: str | None = None,
    classes: int,
    channels: int = 3,
    pretrained: Pretrained = False,
    **options: Any,
) -> nn.Module:
    """A model that gives the logits (B, classes, H, W) of images (B, channels, H, W) of any size.

    Args:
        name: ``small_unet``; an architecture of segmentation-models-pytorch: ``unet``, ``unetplusplus``,
            ``manet``, ``fpn``, ``deeplabv3plus``, ``segformer``, ``upernet`` or ``dpt``; ``dinov2`` or
            ``dinov3``; ``aerialformer``.
        encoder: a model of timm, such as ``resnet34`` or ``tu-tf_efficientnetv2_m`` (the prefix is optional),
            or one that segmentation-models-pytorch has beside them, such as ``mit_b0``. A ViT for ``dpt``,
            ``dinov2`` and ``dinov3``, a Swin for ``aerialformer``. By default a small one.
        classes: how many logits a pixel has; 1 for binary segmentation.
        channels: bands of the images. Pretrained weights are adapted to other than three.
        pretrained: True for the weights that the library has for the encoder (see `sightline weights pull`),
            or a file of weights, of the encoder alone or of the whole model.
        options: of the architecture's constructor, such as ``width`` or ``decoder_channels``.

    Raises:
        SightlineError: there is no such architecture, encoder or option, or the weights are missing or do not
            fit.
    """
    checked_sizes(name, classes, channels)
    if name not in SEGMENTERS:
        raise SightlineError(f"there is no segmenter '{name}'{instead(name, SEGMENTERS, verb='is one of')}")
    if name == "small_unet":
        if encoder is not None:
            raise SightlineError("segmenter 'small_unet' has its own encoder; leave 'encoder' out.")
        source = ModelName("sightline", name)
        model: nn.Module = constructed(name, small_unet, options, classes=classes, channels=channels)
    else:
        source = resolved(encoder or _ENCODERS[name], _CATALOGUE, "encoder")
        model = _on_encoder(name, source, classes, channels, options)
    load_pretrained(model, pretrained, source, channels=channels)
    return model


def _on_encoder(
    name: str, encoder: ModelName, classes: int, channels: int, options: dict[str, Any]
) -> nn.Module:
    if name in ARCHITECTURES:
        return smp_segmenter(name, encoder, classes, channels, options)
    if encoder.library != "timm":
        raise SightlineError(f"segmenter '{name}' needs an encoder of timm; '{encoder}' is none.")
    constructor = aerialformer if name == "aerialformer" else vit_segmenter
    return constructed(
        f"segmenter '{name}' with encoder '{encoder}'",
        constructor,
        options,
        encoder=encoder.name,
        classes=classes,
        channels=channels,
    )
