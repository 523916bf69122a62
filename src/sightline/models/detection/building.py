"""Detectors by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from sightline.data.box_selection import BoxSelection
from sightline.errors import SightlineError
from sightline.models.constructing import checked_sizes, constructed
from sightline.models.detection.backbones import BACKBONES, build_backbone
from sightline.models.detection.detector import Detector
from sightline.models.detection.detr_sizes import DETR_SIZES
from sightline.models.detection.light import LightDetector
from sightline.models.detection.torchvision_models import torchvision_detector, torchvision_names
from sightline.models.names import Catalogue, resolved
from sightline.models.pretrained import Pretrained, load_pretrained

_CATALOGUE: Catalogue = {
    "sightline": lambda: ("light",),
    "torchvision": torchvision_names,
    "transformers": lambda: DETR_SIZES,
}


def detector(
    name: str,
    *,
    classes: int,
    channels: int = 3,
    pretrained: Pretrained = False,
    selection: BoxSelection | Mapping[str, Any] | None = None,
    **options: Any,
) -> Detector:
    """A model that finds objects in images (B, channels, height, width); see `Detector`.

    Args:
        name: ``light``, see `light`; a detector of torchvision, such as ``retinanet_resnet50_fpn_v2``,
            ``fcos_resnet50_fpn``, ``fasterrcnn_resnet50_fpn_v2`` or ``ssdlite320_mobilenet_v3_large``; of
            transformers ``transformers/rt_detr_r18`` (``_r34``, ``_r50``) and ``transformers/d_fine_n``
            (``_s``, ``_m``, ``_l``, ``_x``).
        classes: how many there are; labels are 0 to ``classes`` - 1, for all models alike.
        channels: bands of the images. Pretrained weights are adapted to other than three.
        pretrained: True for the library's weights for COCO (of ``light``: for its backbone), or a file of
            weights (.safetensors, or a state_dict that torch saved). What depends on the classes starts
            anew where they differ.
        selection: which boxes `Detector.detections` keeps, or those of the settings of `BoxSelection` that
            are to differ from the model's own.
        options: of the model's constructor: of `light`, of torchvision's, or of the configuration in
            transformers.

    Raises:
        SightlineError: there is no such model or option, its library is missing, or the weights are missing
            or do not fit.
    """
    checked_sizes(name, classes, channels)
    model_name = resolved(name, _CATALOGUE, "detector")
    if model_name.library == "torchvision":
        model = torchvision_detector(model_name.name, classes, channels, options)
        load_pretrained(model, pretrained, model_name, channels=channels, encoder="network")
    elif model_name.library == "transformers":
        from sightline.models.detection.detr import detr_detector

        model = detr_detector(model_name.name, classes, channels, pretrained, options)
    else:
        model = constructed(name, light, options, classes=classes, channels=channels, pretrained=pretrained)
    if selection is not None:
        chosen = selection.model_dump() if isinstance(selection, BoxSelection) else dict(selection)
        model.selection = BoxSelection(**(model.selection.model_dump() | chosen))
    return model


def light(
    *,
    classes: int,
    channels: int = 3,
    pretrained: Pretrained = False,
    backbone: str = "plain",
    strides: Sequence[int] = (8, 16, 32),
    width: int = 64,
    depth: int = 2,
    backbone_options: Mapping[str, Any] | None = None,
) -> LightDetector:
    """Sightline's own detector, see `LightDetector`, with ``options`` for `detector`.

    Args:
        classes: how many there are.
        channels: bands of the images.
        pretrained: True for timm's weights of the backbone, or a file of weights of the backbone or of all.
        backbone: ``plain`` (1.4 million parameters, quick from scratch), or any model of timm that gives
            features, such as ``resnet18`` or ``convnext_atto``.
        strides: pixels from place to place of each level, each twice the one before it; objects should be
            larger than the first. Levels beyond the backbone's coarsest features are added.
        width: channels of the feature pyramid and the head.
        depth: convolutions of each of the head's two towers.
        backbone_options: of the backbone's constructor, such as ``drop_path_rate``; of ``plain``: ``widths``
            and ``depths`` of its five stages.

    Raises:
        SightlineError: there is no such backbone, or it has no features at the strides; an option is refused;
            the weights are missing or do not fit.
    """
    doubled = [strides[0] << number for number in range(len(strides))] if strides else []
    if not doubled or list(strides) != doubled:
        raise SightlineError(
            f"light: strides {list(strides)}: give each twice the one before it, as [8, 16, 32]."
        )
    name = resolved(backbone, BACKBONES, "backbone")
    if pretrained is True and name.library == "sightline":
        raise SightlineError(
            f"light: its backbone '{name.name}' has no pretrained weights; choose one of timm, such as "
            "'backbone: resnet18', give 'pretrained' a file, or leave it out."
        )
    built = build_backbone(name, channels, strides, dict(backbone_options or {}))
    model = LightDetector(built, classes, BoxSelection(), strides=strides, width=width, depth=depth)
    load_pretrained(model, pretrained, name, channels=channels, encoder="backbone")
    return model


DETECTORS = (
    "light",
    "retinanet_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "ssdlite320_mobilenet_v3_large",
    *(f"transformers/{name}" for name in DETR_SIZES),
)
"""The detectors that are tested here by name."""
