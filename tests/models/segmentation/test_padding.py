import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sightline.models import list_models
from sightline.models.segmentation.padding import Segmenter
from tests.models.sizes import images, small_segmenter


class Echo(Segmenter):
    """Gives back what it is shown, and insists on its multiple."""

    multiple = 8

    def logits(self, images: Tensor) -> Tensor:
        assert images.shape[2] % self.multiple == images.shape[3] % self.multiple == 0
        self.seen = images
        return images


@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_what_comes_back_lies_where_it_was(height: int, width: int) -> None:
    echo = Echo()
    picture = torch.arange(height * width, dtype=torch.float32).reshape(1, 1, height, width)
    assert torch.equal(echo(picture), picture)
    assert (echo.seen[:, :, height:, :width] == picture[:, :, -1:]).all()
    assert (echo.seen[:, :, :height, width:] == picture[:, :, :, -1:]).all()


def test_sizes_that_fit_are_not_copied() -> None:
    echo = Echo()
    picture = torch.rand(1, 1, 16, 8)
    echo(picture)
    assert echo.seen is picture


@pytest.mark.parametrize("name", list_models("segmentation"))
def test_logits_have_the_size_of_the_image(name: str) -> None:
    model = small_segmenter(name).eval()
    with torch.no_grad():
        assert model(images(70, 45, count=1)).shape == (1, 5, 70, 45)


def test_exported_with_dynamic_sizes() -> None:
    """Traced with a size that needs padding, it also takes one that does not, and the other way round."""
    model = small_segmenter("small_unet").eval()
    sizes = [(70, 45), (64, 96)]
    for traced, other in (sizes, sizes[::-1]):
        exported = exported_module(model, images(*traced, count=1))
        with torch.no_grad():
            torch.testing.assert_close(exported(images(*other, count=1)), model(images(*other, count=1)))


def exported_module(model: nn.Module, example: Tensor) -> nn.Module:
    dynamic = torch.export.Dim.DYNAMIC
    return torch.export.export(model, (example,), dynamic_shapes=({2: dynamic, 3: dynamic},)).module()
