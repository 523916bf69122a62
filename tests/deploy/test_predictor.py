from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data.predictions import NO_CLASS, ClassMap, ClassScores, Detections
from sightline.deploy import open_model
from sightline.errors import SightlineError
from tests.deploy.handmade import classifier, detector, segmenter, without_card

RED, BLUE = (200, 0, 0), (0, 0, 200)


def _image(height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), colour, dtype=np.uint8)


def test_images_of_several_sizes_come_back_in_order(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx")
    predictor = open_model(tmp_path / "a.onnx", batch_size=2)
    images = [_image(4 + number % 3, 5, RED if number % 2 else BLUE) for number in range(9)]
    found = predictor.predict(images)
    assert all(isinstance(one, ClassScores) for one in found)
    assert [int(one.scores.argmax()) for one in found] == [2, 0] * 4 + [2]  # type: ignore[union-attr]
    assert predictor.classes == ["red", "green", "blue"]


def test_a_batch_is_what_the_file_takes(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx", input={"batch": 1})
    predictor = open_model(tmp_path / "a.onnx", batch_size=8)
    assert predictor.batch_size == 1
    assert len(predictor.predict([_image(4, 4, RED)] * 3)) == 3


def test_maps_come_back_in_the_images_own_pixels(tmp_path: Path) -> None:
    segmenter(tmp_path / "a.onnx", preprocessing={"size": [32, 32], "fit": "letterbox"})
    image = _image(20, 40, RED)
    image[:, 20:] = BLUE
    (found,) = open_model(tmp_path / "a.onnx").predict([image])
    assert isinstance(found, ClassMap)
    assert found.classes.shape == (20, 40)
    assert (found.classes[:, :19] == 0).all()
    assert (found.classes[:, 21:] == 2).all()
    assert found.scores is not None
    assert found.scores.dtype == np.float32


def test_what_a_crop_leaves_out_has_no_class(tmp_path: Path) -> None:
    segmenter(tmp_path / "a.onnx", preprocessing={"size": [16, 16], "fit": "crop"})
    (found,) = open_model(tmp_path / "a.onnx").predict([_image(16, 24, RED)])
    assert isinstance(found, ClassMap)
    assert (found.classes[:, 4:20] == 0).all()
    assert (found.classes[:, :4] == NO_CLASS).all()


def test_boxes_come_back_in_the_images_own_pixels(tmp_path: Path) -> None:
    detector(tmp_path / "a.onnx", preprocessing={"size": [48, 64]})
    image = np.zeros((96, 192, 3), dtype=np.uint8)
    image[32:48, 48:72] = 255  # where the second cell of the third row goes, twice as high, thrice as wide
    (found,) = open_model(tmp_path / "a.onnx").predict([image])
    assert isinstance(found, Detections)
    assert found.boxes.tolist() == [[48, 32, 72, 48]]
    assert found.scores[0] > 0.8
    assert found.labels.tolist() == [0]


def test_grey_and_sixteen_bit_pictures_are_taken_as_training_took_them(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx")
    grey = np.full((4, 4), 40000, dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    predictor = open_model(tmp_path / "a.onnx")
    of_array, of_file = predictor.predict([grey]), predictor.predict_files([tmp_path / "a.png"])
    assert (of_array[0].scores == of_file[0].scores).all()  # type: ignore[union-attr]
    assert predictor.fit(predictor.read(tmp_path / "a.png")).pixels.max() == 40000 // 257


def test_bands_are_chosen_of_images_with_all_of_them(tmp_path: Path) -> None:
    bands = {"bands": [4, 1, 2], "scale": 10000}
    classifier(tmp_path / "a.onnx", input={"type": "uint16"}, preprocessing=bands)
    predictor = open_model(tmp_path / "a.onnx")
    image = np.zeros((4, 4, 4), dtype=np.uint16)
    image[..., 3] = 200
    (found,) = predictor.predict([image])
    assert found.scores.argmax() == 0  # type: ignore[union-attr]
    with pytest.raises(SightlineError, match="image 0: has 3 bands, and the model takes band 4"):
        predictor.predict([image[..., :3]])
    with pytest.raises(
        SightlineError, match="image 0: has pixels of type int32, and the model was trained on u"
    ):
        predictor.predict([image.astype(np.int32)])
    assert predictor.predict([image.astype(np.uint8)])


def test_floats_hold_all_types(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx", input={"type": "float32"}, preprocessing={"scale": 1})
    predictor = open_model(tmp_path / "a.onnx")
    for dtype in (np.uint8, np.int16, np.int32, np.float64):
        (found,) = predictor.predict([_image(3, 3, (0, 100, 0)).astype(dtype)])
        assert found.scores.argmax() == 1  # type: ignore[union-attr]


def test_sizes_that_the_file_does_not_take_are_refused(tmp_path: Path) -> None:
    detector(tmp_path / "a.onnx")
    with pytest.raises(
        SightlineError, match="image 0: is 40 x 64 pixels for the model, which takes 48 x 64 only"
    ):
        open_model(tmp_path / "a.onnx").predict([_image(40, 64, RED)])
    segmenter(tmp_path / "b.onnx", input={"multiple": 32})
    with pytest.raises(
        SightlineError, match="is 33 x 64 pixels for the model, which takes multiples of 32 only"
    ):
        open_model(tmp_path / "b.onnx").predict([_image(33, 64, RED)])
    with pytest.raises(
        SightlineError, match=r"image 0: has the shape \(0, 4, 3\); give one of \(height, width, b"
    ):
        open_model(tmp_path / "b.onnx").predict([_image(0, 4, RED)])


def test_a_card_can_be_given_for_a_file_without_one(tmp_path: Path) -> None:
    made = classifier(tmp_path / "a.onnx")
    path = without_card(tmp_path / "b.onnx")
    with pytest.raises(SightlineError, match="has no model card"):
        open_model(path)
    assert open_model(path, card=made).predict([_image(3, 3, RED)])


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx")
    assert open_model(tmp_path / "a.onnx").predict([]) == []
