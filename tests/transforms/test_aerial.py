import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from sightline.errors import SightlineError
from sightline.transforms import D4, BandJitter, Dropout, RandomAffine, RandomWindow


def an_item(height: int, width: int, bands: int = 4) -> tuple[tv_tensors.Image, dict[str, torch.Tensor]]:
    """An image whose first band is its mask, with a box around a bright rectangle."""
    pixels = torch.zeros((bands, height, width), dtype=torch.uint8)
    pixels[:, 2:5, 1:3] = 100
    box = torch.tensor([[1.0, 2.0, 3.0, 5.0]])
    boxes = tv_tensors.BoundingBoxes(box, format="XYXY", canvas_size=(height, width))  # type: ignore[call-arg]
    return tv_tensors.Image(pixels), {"mask": tv_tensors.Mask(pixels[0].clone()), "boxes": boxes}


def box_of(mask: torch.Tensor) -> list[float]:
    rows, columns = (np.flatnonzero(mask.numpy().any(axis=axis)) for axis in (1, 0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


@pytest.mark.parametrize(("height", "width", "ways"), [(8, 8, 8), (8, 6, 4)])
def test_d4_lays_image_mask_and_box_alike_in_every_way(height: int, width: int, ways: int) -> None:
    torch.manual_seed(0)
    seen = set()
    for _ in range(80):
        image, target = D4()(*an_item(height, width))
        assert image.shape == (4, height, width)
        assert torch.equal(image[0], target["mask"])
        assert target["boxes"][0].tolist() == box_of(target["mask"])
        assert target["boxes"].canvas_size == (height, width)
        seen.add(image.numpy().tobytes())
    assert len(seen) == ways


def test_what_comes_in_from_outside_has_no_class() -> None:
    torch.manual_seed(0)
    image, target = RandomAffine(degrees=45, scale=(0.5, 0.6))(*an_item(16, 16))
    assert (target["mask"] == 255).any()
    assert (image[:, target["mask"] == 255] == 0).all()
    image, target = RandomWindow(size=[12, 20], fill=3)(*an_item(8, 30))
    assert image.shape == (4, 12, 20)
    outside = target["mask"] == 255
    assert outside.sum() == 4 * 20
    assert (image[:, outside] == 3).all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_band_jitter_changes_light_and_keeps_type_and_mask(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    largest = 1.0 if dtype == torch.float32 else float(torch.iinfo(dtype).max)
    values = torch.linspace(0.2, 0.8, 60).reshape(3, 4, 5).double() * largest
    image = tv_tensors.Image(values.to(dtype))
    mask = tv_tensors.Mask(torch.ones(4, 5, dtype=torch.uint8))
    changed, kept = BandJitter(brightness=0.1, contrast=0.2)(image, mask)
    assert changed.dtype == dtype
    assert torch.equal(kept, mask)
    before, after = image.double() / largest, changed.double() / largest
    assert 1e-3 < (before - after).abs().max() < 0.1 + 0.2 * 0.6
    same, _ = BandJitter(brightness=0, contrast=0)(image, mask)
    assert torch.allclose(same.double(), image.double(), rtol=1e-6, atol=1)


def test_what_is_dropped_out_has_no_class() -> None:
    torch.manual_seed(0)
    image, target = Dropout(count=3, size=0.5, fill=9, p=1)(*an_item(20, 20))
    dropped = target["mask"] == 255
    assert dropped.any()
    assert (image[:, dropped] == 9).all()
    objects = tv_tensors.Mask(torch.ones(2, 20, 20, dtype=torch.uint8))
    _, objects = Dropout(count=3, size=0.5, p=1)(tv_tensors.Image(torch.ones(1, 20, 20)), objects)
    assert set(objects.unique().tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: BandJitter(brightness=2), "brightness 2"),
        (lambda: Dropout(size=0), "count is from 1 on"),
        (lambda: RandomWindow(size=[3]), "give height and width"),
    ],
)
def test_settings_out_of_range_are_refused(make: object, sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence):
        make()  # type: ignore[operator]
