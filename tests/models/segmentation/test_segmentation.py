from typing import Any

import pytest

from sightline.errors import SightlineError
from sightline.models import segmenter
from tests.models.sizes import images


@pytest.mark.parametrize("encoder", ["test_resnet", "tu-test_resnet", "timm/test_resnet", "smp/resnet18"])
def test_encoders_are_of_timm_or_segmentation_models(encoder: str) -> None:
    model = segmenter("unet", encoder=encoder, classes=2, channels=6, decoder_channels=(8, 8, 8, 8, 8))
    assert model(images(channels=6)).shape == (2, 2, 64, 64)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("unett", {}, "there is no segmenter 'unett'; did you mean 'unet'?"),
        ("unet", {"encoder": "resnet333"}, "there is no encoder 'resnet333'"),
        ("unet", {"encoder": "test_vit"}, "Unsupported model downsampling pattern"),
        ("unet", {"activation": "softmax"}, "'activation' is no option"),
        ("unet", {"encoder": "test_resnet", "widht": 3}, "cannot be built with {widht: 3}"),
        ("dpt", {"encoder": "smp/mit_b0"}, "cannot be built"),
        ("dinov2", {"encoder": "smp/mit_b0"}, "needs an encoder of timm; 'smp/mit_b0' is none"),
        ("dinov2", {"encoder": "test_resnet"}, "is no plain vision transformer"),
        ("dinov2", {"encoder": "test_vit", "taps": 7}, "taps is 7, but the encoder has 6 blocks"),
        ("aerialformer", {"encoder": "test_resnet"}, "its features have strides"),
        ("small_unet", {"encoder": "test_resnet"}, "has its own encoder; leave 'encoder' out"),
        ("small_unet", {"pretrained": True}, "small_unet: has no pretrained weights"),
        ("small_unet", {"classes": 0}, "'classes' is 0"),
    ],
)
def test_what_cannot_be_built_is_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SightlineError) as refused:
        segmenter(name, **{"classes": 2, **options})
    assert message in str(refused.value)


def test_patches_that_do_not_fit_the_pyramid_are_refused() -> None:
    with pytest.raises(SightlineError, match="needs patches of 4, 8, 16 or 32 pixels, not 14"):
        segmenter("dpt", encoder="vit_small_patch14_dinov2", classes=2)
