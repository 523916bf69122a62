"""The architectures of segmentation-models-pytorch, on its encoders and those of timm."""

from typing import Any

from torch import Tensor, nn

from sightline.errors import SightlineError
from sightline.models.constructing import constructed
from sightline.models.image_sizes import any_size
from sightline.models.names import ModelName
from sightline.models.segmentation.padding import Segmenter

ARCHITECTURES = {
    "unet": "Unet",
    "unetplusplus": "UnetPlusPlus",
    "manet": "MAnet",
    "fpn": "FPN",
    "deeplabv3plus": "DeepLabV3Plus",
    "segformer": "Segformer",
    "upernet": "UPerNet",
    "dpt": "DPT",
}
"""The class of segmentation-models-pytorch by our name of it."""

DEFAULT_ENCODERS = dict.fromkeys(ARCHITECTURES, "resnet34") | {
    "segformer": "smp/mit_b0",
    "dpt": "vit_base_patch16_224",
}


class SmpSegmenter(Segmenter):
    """The encoder, decoder and head of a model of segmentation-models-pytorch, under the same names.

    So the state_dict of one loads into the other, and ``encoder.*`` can be frozen.
    """

    def __init__(self, model: Any, multiple: int) -> None:
        super().__init__()
        self.encoder: nn.Module = model.encoder
        self.decoder: nn.Module = model.decoder
        self.segmentation_head: nn.Module = model.segmentation_head
        self.multiple = multiple

    def logits(self, images: Tensor) -> Tensor:
        """See `Segmenter`."""
        return self.segmentation_head(self.decoder(self.encoder(images)))


class DptSegmenter(SmpSegmenter):
    """As `SmpSegmenter`, for an encoder that gives its prefix tokens apart."""

    def logits(self, images: Tensor) -> Tensor:
        """See `Segmenter`."""
        features, prefix_tokens = self.encoder(images)
        return self.segmentation_head(self.decoder(features, prefix_tokens))


def smp_segmenter(
    name: str, encoder: ModelName, classes: int, channels: int, options: dict[str, Any]
) -> nn.Module:
    """An architecture by its key in `ARCHITECTURES`, with random weights.

    Raises:
        SightlineError: the encoder does not suit the architecture, or an option is refused.
    """
    import segmentation_models_pytorch as smp

    settled: dict[str, Any] = {
        "encoder_name": encoder.name if encoder.library == "smp" else f"tu-{encoder.name}",
        "encoder_weights": None,
        "in_channels": channels,
        "classes": classes,
        "activation": None,
        "aux_params": None,
    }
    if encoder.library == "timm":
        settled |= any_size(encoder.name, options)
    what = f"segmenter '{name}' with encoder '{encoder}'"
    constructor = getattr(smp, ARCHITECTURES[name])
    if name == "dpt":
        return _dpt(what, constructor, options, settled)
    model = constructed(what, constructor, options, **settled)
    return SmpSegmenter(model, model.encoder.output_stride)


def _dpt(what: str, constructor: Any, options: dict[str, Any], settled: dict[str, Any]) -> nn.Module:
    # The classifier of the ViT, and its last norm, are not used; ranks would wait for their gradients.
    model = constructed(what, constructor, options, **settled, num_classes=0)
    model.encoder.model.norm = nn.Identity()
    strides = model.encoder.output_strides
    coarsest = 2 ** (len(strides) + 1)
    if any(coarsest % stride for stride in strides):
        raise SightlineError(f"{what}: needs patches of 4, 8, 16 or 32 pixels, not {strides[-1]}.")
    return DptSegmenter(model, coarsest)
