import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from sightline.models.pretrained.bands import adapted_to_bands


@given(old=st.integers(1, 6), new=st.integers(1, 12), seed=st.integers(0, 99))
def test_an_image_of_equal_bands_has_the_same_response(old: int, new: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, old, 3, 3, generator=generator)
    grey = torch.rand(1, 1, 6, 7, generator=generator)
    before = F.conv2d(grey.expand(1, old, 6, 7), weight)
    after = F.conv2d(grey.expand(1, new, 6, 7), adapted_to_bands(weight, new))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_bands_that_both_have_keep_their_weights() -> None:
    weight = torch.randn(5, 3, 3, 3)
    adapted = adapted_to_bands(weight, 4)
    torch.testing.assert_close(adapted[:, :3], weight * 3 / 4)
    torch.testing.assert_close(adapted[:, 3], weight.mean(1) * 3 / 4)
    torch.testing.assert_close(adapted_to_bands(weight, 1)[:, 0], weight.sum(1))
    torch.testing.assert_close(adapted_to_bands(weight, 3), weight)
