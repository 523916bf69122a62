"""The models that are tested here by name."""

from collections.abc import Callable
from typing import Literal, get_args

from sightline.config.wording import instead
from sightline.errors import SightlineError
from sightline.models.classification import OWN
from sightline.models.segmentation import SEGMENTERS

Kind = Literal["classification", "detection", "segmentation"]

_CLASSIFIERS = (
    *OWN,
    "resnet18",
    "resnet50",
    "efficientnet_b0",
    "mobilenetv3_small_050",
    "convnext_tiny",
    "vit_tiny_patch16_224",
    "torchvision/resnet18",
    "torchvision/efficientnet_b0",
    "torchvision/mobilenet_v3_small",
    "torchvision/regnet_y_400mf",
)
"""Our own, and good first choices among the hundreds that timm and torchvision have."""


def list_models(kind: str) -> list[str]:
    """The models that are tested, by the names that `classifier`, `detector` and `segmenter` take.

    There are more: every model of timm and every classifier of torchvision, see `classifier`, and segmenters
    on hundreds of encoders.

    Args:
        kind: "classification", "detection" or "segmentation".

    Raises:
        SightlineError: there is no such kind.
    """
    names: dict[str, Callable[[], list[str]]] = {
        "classification": lambda: list(_CLASSIFIERS),
        "detection": _detectors,
        "segmentation": lambda: list(SEGMENTERS),
    }
    if kind not in names:
        raise SightlineError(f"there is no kind of model '{kind}'{instead(kind, get_args(Kind), verb='is')}")
    return names[kind]()


def _detectors() -> list[str]:
    from sightline.models.detection import DETECTORS

    return list(DETECTORS)
