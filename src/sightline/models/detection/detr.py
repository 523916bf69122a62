"""Detectors that say each object once, from the library transformers: RT-DETR and D-FINE."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import box_convert, clip_boxes_to_image

from sightline.data.box_selection import BoxSelection
from sightline.errors import SightlineError
from sightline.models.constructing import constructed
from sightline.models.detection.detector import Detector, Targets
from sightline.models.detection.detr_sizes import DETR_SIZES
from sightline.models.detection.options import check_options
from sightline.models.names import ModelName
from sightline.models.pretrained import Pretrained, fit_weights, load_pretrained
from sightline.models.pretrained.hub_files import hub_file

_MULTIPLE = 32  # what the sizes of images are a multiple of: the coarsest stride


class DetrDetector(Detector):
    """A detector of transformers that was built for ``config.num_labels`` classes.

    Its losses are those of the library, summed over its decoder layers; they are means over the boxes.
    Weights that were published expect images of 0..1, neither shifted nor scaled further.
    """

    pretrained_cfg = {
        "classifier": (
            "network.class_embed",
            "network.model.decoder.class_embed",
            "network.model.enc_score_head",
            "network.model.denoising_class_embed",
        )
    }
    """What depends on the classes, under the name by which `sightline.models.pretrained` asks."""

    def __init__(self, network: Any, selection: BoxSelection) -> None:
        super().__init__(selection)
        self.network = network

    def forward(self, images: Tensor, targets: Targets | None = None) -> Any:
        """See `Detector`.

        Raises:
            SightlineError: the images' height or width is no multiple of 32, or they are too small for as
                many objects as the model looks for.
        """
        height, width = images.shape[-2:]
        self._check_size(height, width)
        labels = None if targets is None else [_label(target, height, width) for target in targets]
        said = self.network(pixel_values=images, labels=labels)
        losses = None if labels is None else _summed(said.loss_dict)
        if labels is not None and self.training:
            return losses, None
        scale = torch.tensor([width, height, width, height], device=images.device)
        boxes = clip_boxes_to_image(
            box_convert(said.pred_boxes.float(), "cxcywh", "xyxy") * scale, (height, width)
        )
        raw = (said.logits.float().sigmoid(), boxes)
        return raw if labels is None else (losses, raw)

    def loss_weight(self, targets: Targets) -> int:
        """The number of boxes; 1 where there are none."""
        return max(1, sum(len(target["boxes"]) for target in targets))

    def _check_size(self, height: int, width: int) -> None:
        config = self.network.config
        if height % _MULTIPLE or width % _MULTIPLE:
            raise SightlineError(
                f"{config.model_type}: images are {height}x{width} (height x width), which are no multiples "
                f"of {_MULTIPLE}; choose a size that is, or `multiple: {_MULTIPLE}` in the preprocessing."
            )
        places = sum((height // stride) * (width // stride) for stride in config.feat_strides)
        if places < config.num_queries:
            raise SightlineError(
                f"{config.model_type}: images of {height}x{width} have {places} places, fewer than its "
                f"num_queries {config.num_queries}; give larger images, or a smaller number."
            )


def detr_detector(
    name: str, classes: int, channels: int, pretrained: Pretrained, options: dict[str, Any]
) -> DetrDetector:
    """One of `DETR_SIZES`, built without a network; ``options`` are of its configuration.

    Raises:
        SightlineError: transformers is missing, an option is refused, or the weights are missing or do not
            fit.
    """
    what = f"transformers/{name}"
    try:
        import transformers
    except ImportError as error:
        raise SightlineError(
            f"{what}: needs the library transformers; install it with `pip install sightline[transformers]`."
        ) from error
    family = "RTDetr" if name.startswith("rt_detr") else "DFine"
    size = DETR_SIZES[name]
    config_class = getattr(transformers, f"{family}Config")
    own = {one.name for one in fields(config_class)} - {
        one.name for one in fields(transformers.PreTrainedConfig)
    }
    check_options(what, options, own)
    settings = size.config | options
    backbone = {**settings.pop("backbone_config"), "num_channels": channels}
    if "stem_channels" in backbone:
        backbone["stem_channels"] = [channels, *backbone["stem_channels"][1:]]
    # Frozen statistics are for weights that were trained; random ones would never be normalised.
    settings.setdefault("freeze_backbone_batch_norms", pretrained is not False)
    settled = {"num_labels": classes, "backbone_config": backbone}
    config = constructed(what, _strict(config_class), settings, **settled)
    network_class = getattr(transformers, f"{family}ForObjectDetection")
    model = DetrDetector(
        constructed(what, network_class, {}, config=config), BoxSelection(nms_threshold=None)
    )
    if pretrained is True:
        weights = _published(network_class, size.weights, what)
        fit_weights(model, weights, channels=channels, encoder="network", what=what)
    else:
        load_pretrained(
            model, pretrained, ModelName("transformers", name), channels=channels, encoder="network"
        )
    return model


def _strict(config_class: Any) -> Any:
    """A configuration's class, which refuses values as Python's own functions do."""
    from huggingface_hub.errors import StrictDataclassError

    def construct(**settings: Any) -> Any:
        try:
            return config_class(**settings)
        except StrictDataclassError as error:
            raise ValueError(str(error)) from error

    return construct


def _published(network_class: Any, repository: str, what: str) -> dict[str, Tensor]:
    """The weights that were published, from the cache of the Hugging Face Hub or the network."""
    try:
        config, _ = (hub_file(repository, (file,)) for file in ("config.json", "model.safetensors"))
        return network_class.from_pretrained(config.parent).state_dict()
    except (SightlineError, OSError) as error:
        raise SightlineError(
            f"{what}: its pretrained weights ({repository}) are not on this machine and cannot be fetched "
            f"({error}); give `pretrained` a file."
        ) from error


def _label(target: Mapping[str, Tensor], height: int, width: int) -> dict[str, Tensor]:
    """Boxes as shares of the image, by centre and size, and labels under the library's names."""
    scale = target["boxes"].new_tensor([width, height, width, height])
    boxes = box_convert(target["boxes"] / scale, "xyxy", "cxcywh")
    return {"boxes": boxes, "class_labels": target["labels"]}


def _summed(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Losses of one kind together: the library names them ``loss_<kind>`` and then by decoder layer."""
    kinds: dict[str, Tensor] = {}
    for name, value in losses.items():
        kind = name.removeprefix("loss_").split("_")[0]
        kinds[kind] = kinds[kind] + value if kind in kinds else value
    return kinds
