import numpy as np
import torch
from torchvision import tv_tensors

from sightline.data.preprocessing import Preprocessing
from sightline.transforms import FitImage
from sightline.transforms.fit import FITTING, fitting_of


def test_image_boxes_and_masks_are_fitted_alike_and_say_where_they_went() -> None:
    preprocessing = Preprocessing(size=(32, 32), fit="letterbox")
    pixels = np.random.default_rng(0).integers(0, 255, (20, 40, 3), dtype=np.uint8)
    boxes = torch.tensor([[10.0, 5.0, 30.0, 15.0]])
    masks = torch.zeros(1, 20, 40, dtype=torch.uint8)
    masks[0, 5:15, 10:30] = 1
    target = {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(20, 40)),  # type: ignore[call-arg]
        "labels": torch.tensor([3]),
        "masks": tv_tensors.Mask(masks),
        "mask": tv_tensors.Mask(masks[0]),
    }
    image, fitted = FitImage(preprocessing)(
        tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1)), target
    )
    np.testing.assert_array_equal(image.permute(1, 2, 0), preprocessing.fit_image(pixels))
    assert fitted["boxes"].tolist() == [[8.0, 12.0, 24.0, 20.0]]
    assert fitted["boxes"].canvas_size == (32, 32)
    assert fitted["masks"].shape == (1, 32, 32)
    assert fitted["masks"][0, 12:20, 8:24].all()
    assert fitted["masks"].sum() == 8 * 16
    assert (fitted["mask"][:8] == 255).all()
    assert fitted["labels"].tolist() == [3]
    assert fitting_of(fitted[FITTING]) == preprocessing.fitting(20, 40)


def test_no_masks_and_no_boxes_stay_none() -> None:
    image = tv_tensors.Image(torch.zeros(3, 20, 40, dtype=torch.uint8))
    target = {"masks": tv_tensors.Mask(torch.zeros(0, 20, 40, dtype=torch.uint8))}
    _, fitted = FitImage(Preprocessing(size=(8, 8)))(image, target)
    assert fitted["masks"].shape == (0, 8, 8)
