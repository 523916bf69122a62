import numpy as np
import pytest
from PIL import Image, ImageDraw

from sightline.data import Bbox, Bitmask, Classification, Sample, Segmentation
from sightline.data.primitives.drawing import Labels, class_colour, elided, font, overlap

GREY = 90


def _picture(size: tuple[int, int] = (200, 100)) -> Image.Image:
    return Image.new("RGB", size, (GREY,) * 3)


def _coloured(image: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.asarray(image) == colour).all(axis=2)


@pytest.mark.parametrize("corner", [(-30, -30), (190, 2), (100, 95), (195, 99)])
def test_labels_do_not_leave_the_picture(corner: tuple[int, int]) -> None:
    image, red = _picture(), (255, 0, 0)
    labels = Labels(image)
    labels.add(corner, corner[1], "a label", "a label", red)
    labels.draw()
    rows, columns = np.nonzero(_coloured(image, red))
    # The whole plate is there: its four edges are, between them the text.
    assert np.ptp(columns) > 30
    assert np.ptp(rows) >= 12


def test_labels_keep_out_of_each_other() -> None:
    image = _picture((300, 300))
    labels = Labels(image)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    for number, colour in enumerate(colours):
        labels.add((100, 100 + number), 200, f"label {number}", f"label {number}", colour)
    labels.draw()
    areas = [_coloured(image, colour).sum() for colour in colours]
    assert min(areas) > 0.5 * max(areas) > 100


def test_what_finds_no_room_is_in_the_legend() -> None:
    image = _picture((300, 300))
    labels = Labels(image)
    for number in range(40):
        corner = 100 + 17 * (number % 8), 100 + 17 * (number // 8)
        name, colour = ("rare", (0, 0, 255)) if number == 20 else ("many", (255, 0, 0))
        labels.add(corner, corner[1] + 5, f"one of many objects {number}", name, colour)
    labels.draw()
    legend = (slice(16), slice(20))
    assert _coloured(image, (0, 0, 255))[legend].any()
    # One of the many is labelled, and says what they are.
    assert _coloured(image, (255, 0, 0)).any()
    assert not _coloured(image, (255, 0, 0))[legend].any()


def test_of_a_box_and_a_mask_of_one_object_one_label_is_left() -> None:
    once, twice = _picture((300, 300)), _picture((300, 300))
    for image, texts in ((once, ["cat (black)"]), (twice, ["cat", "cat (black)"])):
        labels = Labels(image)
        for place, text in enumerate(texts):
            labels.add((100 + place, 100), 200, text, "cat", (255, 0, 0))
        labels.draw()
    assert abs(int(_coloured(once, (255, 0, 0)).sum()) - int(_coloured(twice, (255, 0, 0)).sum())) < 30


def test_a_segmentation_is_explained_in_the_legend() -> None:
    mask = np.zeros((300, 300), bool)
    mask[200:, 200:] = True
    sample = Sample(
        file_path=None,
        height=300,
        width=300,
        classifications=[Classification(class_name="day")],
        bitmasks=[Segmentation.from_mask(mask, class_name="water")],
    )
    drawn = Image.fromarray(sample.draw_annotations(np.full((300, 300), GREY, np.uint8)))
    for name in ("day", "water"):
        rows, columns = np.nonzero(_coloured(drawn, class_colour(name)))
        assert (rows[columns < 100] < 40).any()
    assert not (np.asarray(drawn)[180:199, 180:] != GREY).any()


@pytest.mark.parametrize("size", [(30, 20), (61, 41), (90, 60), (120, 79)])
def test_masks_are_drawn_on_pictures_of_another_size(size: tuple[int, int]) -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:30, 15:45] = True
    image = _picture(size)
    Bitmask.from_mask(mask, class_name="a").draw(image, nested=True)
    rows, columns = np.nonzero((np.asarray(image) != GREY).any(axis=2))
    found = np.array(
        [columns.min() / size[0], rows.min() / size[1], columns.max() / size[0], rows.max() / size[1]]
    )
    assert np.abs(found - (0.25, 0.25, 0.75, 0.75)).max() < 0.06


def test_labels_lie_on_top_of_all_shapes() -> None:
    box = Bbox(top_left_x=0.1, top_left_y=0.4, width=0.3, height=0.3, class_name="first")
    cover = Bitmask.from_mask(np.ones((300, 300)), class_name="second")
    sample = Sample(file_path=None, height=300, width=300, bboxes=[box], bitmasks=[cover])
    drawn = Image.fromarray(sample.draw_annotations(np.full((300, 300), GREY, np.uint8)))
    assert _coloured(drawn, class_colour("first"))[105:120, 30:60].sum() > 100


def test_numbered_classes_differ_much() -> None:
    first, second = np.array(class_colour("0")), np.array(class_colour("1"))
    assert np.abs(first - second).sum() > 200


def test_overlap() -> None:
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3))
    assert not overlap((0, 0, 2, 2), (2, 0, 3, 2))


def test_letters_of_many_languages_are_no_boxes() -> None:
    def written(letter: str) -> bytes:
        image = Image.new("L", (30, 30))
        ImageDraw.Draw(image).text((2, 2), letter, 255, font(20))
        return image.tobytes()

    assert all(written(letter) != written("\uffff") for letter in "äŽůýΕληЖшא…°µ²")
    assert font(20) is font(20)


def test_what_is_too_long_loses_its_middle() -> None:
    def fits(text: str) -> bool:
        return len(text) <= 10

    assert elided("fits\n as is", fits) == "fits as is"
    assert elided("begin and a long end", fits) == "begin…end"
    assert elided("image_000001.jpg", fits) == "image….jpg"
    assert elided("any", lambda shown: len(shown) < 1) == "…"


def test_a_label_wider_than_the_picture_keeps_both_ends() -> None:
    image, red = _picture(), (255, 0, 0)
    labels = Labels(image)
    labels.add((150, 50), 80, "an endless name " * 20 + "with a number 1", "endless", red)
    labels.draw()
    plate = _coloured(image, red)
    rows, columns = np.nonzero(plate)
    assert 150 < np.ptp(columns) < 200
    # The plate has padding on the right too: the text ends within it.
    assert plate[rows.min() : rows.max() + 1, columns.max()].all()
