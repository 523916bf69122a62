from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sightline.errors import SightlineError
from sightline.models import classifier, segmenter
from sightline.models.pretrained import fit_weights
from sightline.models.pretrained.fitting import head_prefixes

Weights = dict[str, Tensor]


def weights_of(model: nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def resnet(classes: int = 10, channels: int = 3, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return classifier("test_resnet", classes=classes, channels=channels)


def unet(encoder: str = "test_resnet", channels: int = 3) -> nn.Module:
    return segmenter("unet", encoder=encoder, classes=2, channels=channels, decoder_channels=(8, 8, 8, 8, 8))


def test_weights_of_the_same_model_all_go_in() -> None:
    weights, model = weights_of(resnet()), resnet(seed=1)
    fitted = fit_weights(model, weights, channels=3, what="file")
    assert fitted == (len(weights), [], [], 0)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_other_classes_leave_the_head_new() -> None:
    weights, model = weights_of(resnet()), resnet(classes=7, seed=1)
    before = weights_of(model)
    fitted = fit_weights(model, weights, channels=3, what="file")
    assert fitted.new == ["fc.weight", "fc.bias"]
    after = model.state_dict()
    assert torch.equal(after["fc.weight"], before["fc.weight"])
    assert torch.equal(after["layer1.0.conv1.weight"], weights["layer1.0.conv1.weight"])


def test_weights_without_a_head_are_enough() -> None:
    weights = {name: tensor for name, tensor in weights_of(resnet()).items() if not name.startswith("fc.")}
    assert fit_weights(resnet(seed=1), weights, channels=3, what="file").new == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_other_bands_keep_the_response_to_grey_images(channels: int) -> None:
    rgb, model = resnet().eval(), resnet(channels=channels, seed=1).eval()
    fitted = fit_weights(model, weights_of(rgb), channels=channels, what="file")
    assert fitted.adapted == ["conv1.0.weight"]
    grey = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        response = rgb(grey.expand(2, 3, 32, 32))
        torch.testing.assert_close(model(grey.expand(2, channels, 32, 32)), response, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "backbone."])
def test_prefixes_of_other_tools_are_seen_through(prefix: str) -> None:
    weights = weights_of(resnet())
    named = {f"{prefix}{name}": tensor for name, tensor in weights.items()}
    named["optimizer"] = torch.zeros(1)
    fitted = fit_weights(resnet(seed=1), named, channels=3, what="file")
    assert fitted.loaded == len(weights)
    assert fitted.unused == 1


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_efficientnet", "test_byobnet"])
def test_a_classifier_fills_the_encoder_of_a_segmenter(encoder: str) -> None:
    """Also where the feature extractor flattens names, as in ``stages_0`` for ``stages.0``."""
    source = classifier(encoder, classes=10)
    model = unet(encoder)
    decoder = weights_of(model.get_submodule("decoder"))
    fit_weights(model, weights_of(source), channels=3, what="file")
    with torch.no_grad():
        picture = torch.rand(1, 3, 64, 64)
        ours = model.get_submodule("encoder").eval()(picture)[-1]
        theirs = source.eval().forward_intermediates(picture, intermediates_only=True)  # type: ignore[operator]
    torch.testing.assert_close(ours, theirs[-1])
    assert all(torch.equal(decoder[name], now) for name, now in weights_of(model.decoder).items())  # type: ignore[arg-type]


def test_a_segmenter_fills_one_of_other_bands_and_classes() -> None:
    trained = weights_of(unet())
    model = segmenter("unet", encoder="test_resnet", classes=5, channels=4, decoder_channels=(8, 8, 8, 8, 8))
    fitted = fit_weights(model, trained, channels=4, what="file")
    assert fitted.adapted == ["encoder.model.conv1_0.weight"] or fitted.adapted == [
        "encoder.model.conv1.0.weight"
    ]
    assert fitted.new == ["segmentation_head.0.weight", "segmentation_head.0.bias"]


def without(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: {key: tensor for key, tensor in weights.items() if not key.startswith(name)}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: {"something": torch.zeros(3)}, "none of its 1 tensors belongs to the model"),
        (without("layer1"), "fits only .* of the model's .* tensors; 'layer1.*' is missing"),
        (
            lambda weights: weights | {"layer1.0.conv1.weight": torch.zeros(9, 9, 3, 3)},
            r"another architecture or size: 'layer1.0.conv1.weight' is \(9, 9, 3, 3\) there",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_whole(spoil: Callable[[Weights], Weights], message: str) -> None:
    model = resnet(seed=1)
    before = weights_of(model)
    with pytest.raises(SightlineError, match=message):
        fit_weights(model, spoil(weights_of(resnet())), channels=3, what="file")
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


def test_half_an_encoder_is_not_enough_for_a_segmenter() -> None:
    with pytest.raises(SightlineError, match="is missing"):
        fit_weights(unet(), without("layer2")(weights_of(resnet())), channels=3, what="file")


def test_the_head_is_the_classifier_or_the_last_layer() -> None:
    assert head_prefixes(resnet()) == ("fc.",)
    assert head_prefixes(classifier("torchvision/squeezenet1_1", classes=3)) == ("classifier.1.",)
    assert head_prefixes(classifier("small_resnet", classes=3)) == ("head.",)
    assert head_prefixes(unet()) == ("segmentation_head.0.",)
