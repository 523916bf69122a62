"""Every detector that is listed, by the contract that all share."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sightline.errors import SightlineError
from sightline.models.detection import DETECTORS, Detector, detector
from sightline.models.detection.torchvision_models import torchvision_names

CLASSES, CHANNELS = 4, 5
IMAGES = torch.randn(2, CHANNELS, 64, 96, generator=torch.Generator().manual_seed(0))
EMPTY = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
TARGETS = [
    {"boxes": torch.tensor([[4.0, 8, 40, 50], [50, 10, 90, 60]]), "labels": torch.tensor([0, 2])},
    EMPTY,
]


def _options(name: str) -> dict[str, Any]:
    """Those that make it look at fewer places, which is quicker."""
    if name.startswith("fasterrcnn"):
        few = {"rpn_post_nms_top_n_train": 30, "rpn_post_nms_top_n_test": 10}
        return few | {"box_batch_size_per_image": 16}
    if name.startswith("transformers"):
        return {"num_queries": 20, "num_denoising": 10}
    return {}


def _built(name: str) -> Detector:
    torch.manual_seed(0)
    return detector(name, classes=CLASSES, channels=CHANNELS, **_options(name))


@pytest.mark.parametrize("name", DETECTORS)
def test_learns_finds_and_is_saved(name: str, tmp_path: Path) -> None:
    model = _built(name)
    losses, raw = model(IMAGES, TARGETS)
    assert raw is None
    sum(losses.values()).backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert len(gradients) > 10
    assert all(gradient.isfinite().all() for gradient in gradients)

    model.eval()
    with torch.no_grad():
        losses, (scores, boxes) = model(IMAGES, TARGETS)
    assert losses is None or all(value.isfinite() for value in losses.values())
    places = scores.shape[1]
    assert scores.shape == (2, places, CLASSES)
    assert boxes.shape in {(2, places, 4), (2, places, CLASSES, 4)}
    assert (scores >= 0).all()
    assert (scores <= 1).all()
    assert (boxes >= 0).all()
    assert (boxes <= torch.tensor([96.0, 64, 96, 64])).all()

    for found in model.detections((scores, boxes)):
        assert found["boxes"].shape == (len(found["labels"]), 4)
        assert found["labels"].dtype == torch.int64
        assert (found["labels"] < CLASSES).all()
        assert (found["scores"].diff() <= 0).all()

    weights = {key: value.clone() for key, value in model.state_dict().items()}
    save_file(weights, tmp_path / "weights.safetensors")
    other = _built(name)
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert all(torch.equal(weights[key], value) for key, value in other.state_dict().items())


@pytest.mark.parametrize("name", [*(name for name in DETECTORS if "/" not in name), "transformers/d_fine_n"])
def test_label_k_is_learned_by_score_k(name: str) -> None:
    model: Any = _built(name)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # so that the statistics of one batch serve in eval mode
    names = model.pretrained_cfg["classifier"]
    layers = (names,) if isinstance(names, str) else names
    biases = [
        parameter
        for key, parameter in model.named_parameters()
        if key.startswith(layers) and key.endswith("bias") and "enc_score" not in key
    ]

    def gradients(labels: list[int]) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(0)
        targets = [{"boxes": TARGETS[0]["boxes"], "labels": torch.tensor(labels)}] * 2
        losses, _ = model(IMAGES, targets)
        return torch.autograd.grad(sum(losses.values()), biases, allow_unused=True)

    first, second = gradients([0, 2]), gradients([1, 3])
    model.eval()
    with torch.no_grad():
        before, _ = model(IMAGES)
        for bias, one, other in zip(biases, first, second, strict=True):
            if one is not None and other is not None:
                bias -= one - other
        after, _ = model(IMAGES)
    grown = (after - before).mean(dim=(0, 1))
    assert grown[[0, 2]].min() > 0 > grown[[1, 3]].max()


@pytest.mark.parametrize("name", [name for name in DETECTORS if "_fine_" not in name or name.endswith("_n")])
def test_images_without_boxes_are_learned_from(name: str) -> None:
    losses, _ = _built(name)(IMAGES, [EMPTY, EMPTY])
    total = sum(losses.values())
    assert total.isfinite()
    total.backward()


def test_a_box_of_no_size_leaves_the_losses_finite() -> None:
    flat = {"boxes": torch.tensor([[10.0, 10, 10, 40], [4, 8, 40, 50]]), "labels": torch.tensor([1, 1])}
    for name in ("light", "ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"):
        losses, _ = _built(name)(IMAGES, [flat, EMPTY])
        assert all(value.isfinite() for value in losses.values()), name


def test_selection_is_the_models_own_but_for_what_is_chosen() -> None:
    model = detector("ssdlite320_mobilenet_v3_large", classes=2, selection={"score_threshold": 0.3})
    assert model.selection.score_threshold == 0.3
    assert model.selection.nms_threshold == 0.55  # torchvision's for this one
    with pytest.raises(SightlineError, match="score_treshold"):
        detector("light", classes=2, selection={"score_treshold": 0.3})


def test_torchvisions_names_are_those_that_give_boxes() -> None:
    names = torchvision_names()
    assert {"retinanet_resnet50_fpn", "ssd300_vgg16", "fasterrcnn_resnet50_fpn"} <= set(names)
    assert not any(name.startswith(("maskrcnn", "keypointrcnn")) for name in names)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("retinanet_resnet50_fpn_v3", {}, "there is no detector 'retinanet_resnet50_fpn_v3'; did you mean"),
        ("light", {"classes": 0}, "light: 'classes' is 0"),
        ("light", {"widht": 3}, r"light: cannot be built with \{widht: 3\}"),
        ("light", {"strides": [8, 32]}, r"strides \[8, 32\]: give each twice the one before it"),
        ("light", {"strides": []}, r"strides \[\]"),
        ("light", {"backbone": "resnet17"}, "there is no backbone 'resnet17'; did you mean"),
        ("light", {"backbone": "test_vit"}, r"timm/test_vit: has features at the strides 16; choose"),
        (
            "light",
            {"pretrained": True},
            "light: its backbone 'plain' has no pretrained weights; choose one of timm",
        ),
        (
            "ssdlite320_mobilenet_v3_large",
            {"nms_thresh": 1},
            "has no option 'nms_thresh'; did you mean 'iou_thresh'",
        ),
        ("transformers/d_fine_n", {"num_query": 1}, "has no option 'num_query'; did you mean 'num_queries'"),
        ("transformers/d_fine_n", {"d_model": 1.5}, r"transformers/d_fine_n: cannot be built with .*d_model"),
    ],
)
def test_mistakes_are_named(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SightlineError, match=message):
        detector(name, **({"classes": 3} | arguments))
