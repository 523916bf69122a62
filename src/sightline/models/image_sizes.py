"""Transformers of timm that are made for one image size, and can take any."""

from typing import Any

_FAMILIES = (
    "deit",
    "eva",
    "swin_transformer",
    "swin_transformer_v2",
    "swin_transformer_v2_cr",
    "vision_transformer",
)
"""The modules of timm whose models have the option ``dynamic_img_size``."""


def any_size(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """What to give a timm model beside ``options``, for it to take images of any size.

    A user who gives ``img_size`` or ``dynamic_img_size`` has decided.
    """
    from timm.models import model_entrypoint

    family = model_entrypoint(name.partition(".")[0]).__module__.rpartition(".")[2]
    if family not in _FAMILIES or options.keys() & {"img_size", "dynamic_img_size"}:
        return {}
    return {"dynamic_img_size": True}
