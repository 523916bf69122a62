"""The page and the pictures of a report."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import SightlineError
from sightline.reports import write_report
from sightline.reports.findings import Chart
from sightline.reports.page import Facts
from tests.reports.scenes import HEIGHT, WIDTH, box, boxed, classified, segmented

SRC = re.compile(r'src="data:image/(png|jpeg);base64,([^"]+)"')
NAMES = ["<b>cat</b>", "dog"]


def pictures_in(page: Path) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(data))) for _, data in SRC.findall(page.read_text())]


@pytest.fixture
def pets(tmp_path: Path):
    scores = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]
    return classified(tmp_path / "images", [NAMES[0], NAMES[0], NAMES[1]], scores, NAMES)


def test_the_page_stands_alone(pets, tmp_path: Path) -> None:
    page = write_report(pets, tmp_path / "report", title="Pets & co")
    text = page.read_text()
    assert page == tmp_path / "report" / "report.html"
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert "Pets &amp; co" in text
    assert "&lt;b&gt;cat&lt;/b&gt;" in text
    assert "<b>cat</b>" not in text
    assert "0.667" in text  # accuracy
    assert len(pictures_in(page)) == 1 + 3  # the confusion matrix and each sample
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "best.png",
        "confusion.png",
        "report.html",
        "worst.png",
    ]


def test_without_pictures_no_pixel_of_the_dataset_is_shown(pets, tmp_path: Path) -> None:
    page = write_report(pets, tmp_path / "report", pictures=False)
    assert len(pictures_in(page)) == 1
    assert sorted(path.name for path in page.parent.iterdir()) == ["confusion.png", "report.html"]
    assert Path(pets[0].file_path).name not in page.read_text()


def test_numbers_from_elsewhere_come_first(pets, tmp_path: Path) -> None:
    measured = {"accuracy": 0.625, "loss": 1.25}
    text = write_report(pets, tmp_path / "report", measured=measured, pictures=False).read_text()
    cards = re.findall(r'<div class="card"><span>(.*?)</span><b>(.*?)</b>', text)
    assert cards[0] == ("accuracy", "0.625")
    assert cards[-1] == ("loss", "1.250")


def test_further_charts_and_facts(pets, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (9, 7)).save(stream, "PNG")
    chart = Chart("curves", "Training", stream.getvalue(), "by update")
    facts = Facts("Run", {"folder": "here", "commit": None}, ("Spec", "name: <pets>"))
    page = write_report(pets, tmp_path, charts=[chart], facts=[facts], pictures=False)
    assert (tmp_path / "curves.png").read_bytes() == stream.getvalue()
    text = page.read_text()
    assert "<dt>folder</dt><dd>here</dd>" in text
    assert "commit" not in text
    assert "name: &lt;pets&gt;" in text


def test_other_files_in_the_folder_stay(pets, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    write_report(pets, tmp_path, pictures=False)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_boxes_are_drawn_beside_each_other(tmp_path: Path) -> None:
    truth = [[box(2, 2, 10, 10, "cat")], [box(12, 3, 9, 9, "cat")]]
    predicted = [[(box(2, 2, 10, 10, "cat"), 0.9)], [(box(1, 1, 3, 3, "cat"), 0.8)]]
    page = write_report(boxed(tmp_path / "images", truth, predicted, ["cat"]), tmp_path)
    shown = pictures_in(page)
    assert len(shown) == 1 + 2 * 2
    assert (tmp_path / "precision-recall.png").exists()
    # Of the missed one truth and prediction differ, of the one that is found they agree but for the label.
    worst = [np.asarray(one.convert("L"), dtype=float) for one in shown[1:3]]
    best = [np.asarray(one.convert("L"), dtype=float) for one in shown[3:5]]
    differing = [float((abs(one - other) > 40).mean()) for one, other in (worst, best)]
    assert differing[0] > 2 * differing[1]


def test_masks_are_drawn_beside_the_image(tmp_path: Path) -> None:
    truth = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
    truth[5:15] = 1
    page = write_report(segmented(tmp_path / "images", [truth], [truth], ["land", "water"]), tmp_path)
    chart, image, true, predicted = pictures_in(page)
    assert chart.format == "PNG"
    assert image.size == true.size == predicted.size
    assert np.abs(np.asarray(true, dtype=int) - np.asarray(predicted)).mean() < 1
    assert np.abs(np.asarray(true, dtype=int) - np.asarray(image)).mean() > 10


def test_an_image_that_is_gone_is_told(pets, tmp_path: Path) -> None:
    Path(pets[0].file_path).unlink()
    with pytest.raises(SightlineError, match=re.escape(pets[0].file_path)):
        write_report(pets, tmp_path / "report")
    assert not (tmp_path / "report" / "report.html").exists()
