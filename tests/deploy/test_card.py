import json
from pathlib import Path

import pytest

from sightline.deploy.card import ExportCheck, ModelCard, Training
from sightline.errors import SightlineError
from tests.deploy.handmade import card


def test_a_card_comes_back_from_its_text() -> None:
    made = card(
        "detection",
        ["a", "ä 猫"],
        metrics={"validation/map": 0.5},
        training=Training(run="cells", weights_sha256="0" * 64),
        check=ExportCheck(images="real", count=3, largest_difference=1e-7),
    )
    assert ModelCard.from_text(made.to_text(), "x.onnx") == made


@pytest.mark.parametrize("text", ["", "[]", '{"card_version": 1}', '{"card_version": 1, "surprise": 2}'])
def test_a_damaged_card_is_one_sentence(text: str) -> None:
    with pytest.raises(SightlineError, match=r"^x\.onnx: its model card is damaged"):
        ModelCard.from_text(text, Path("x.onnx"))


def test_a_card_of_a_newer_version_says_so() -> None:
    values = json.loads(card("segmentation", ["a"]).to_text()) | {"card_version": 2, "sightline": "9.1"}
    with pytest.raises(SightlineError, match=r"was made by a newer Sightline \(9\.1\); update this one"):
        ModelCard.from_text(json.dumps(values | {"unheard": "of"}), "x.onnx")


def test_boxes_are_selected_by_detectors_alone() -> None:
    values = json.loads(card("detection", ["a"]).to_text())
    for changed in (values | {"selection": None}, values | {"task": "segmentation"}):
        with pytest.raises(SightlineError, match="'selection' is for detection, which needs it"):
            ModelCard(**changed)
    with pytest.raises(SightlineError, match="'multi_label' is for classification"):
        card("segmentation", ["a", "b"], multi_label=True)
