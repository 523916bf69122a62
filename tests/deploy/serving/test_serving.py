import base64
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from sightline.deploy import open_model
from sightline.deploy.serving import upload
from sightline.deploy.serving.server import serve
from sightline.errors import SightlineError
from tests.deploy.files.pictures import square
from tests.deploy.handmade import classifier, detector, segmenter
from tests.deploy.serving.browser import browser

LIMIT = 200_000


@contextmanager
def _served(path: Path) -> Iterator[str]:
    urls: list[str] = []
    up, stop = threading.Event(), threading.Event()

    def ready(url: str) -> None:
        urls.append(url)
        up.set()

    options = {"most_bytes": LIMIT, "stop": stop}
    thread = threading.Thread(
        target=serve, args=(open_model(path), "127.0.0.1", 0, ready), kwargs=options, daemon=True
    )
    thread.start()
    assert up.wait(30)
    try:
        yield urls[0]
    finally:
        stop.set()
        thread.join(20)


def _file(pixels: np.ndarray, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format)
    return stream.getvalue()


def test_the_answer_is_that_of_the_predictor(tmp_path: Path) -> None:
    made = detector(tmp_path / "a.onnx")
    with _served(tmp_path / "a.onnx") as url, httpx.Client(base_url=url) as client:
        assert client.get("/card").json()["classes"] == made.classes
        answer = client.post("/predict", content=_file(square(16))).json()
        assert (answer["height"], answer["width"]) == (48, 64)
        assert [one["box"] for one in answer["objects"]] == [[16, 16, 24, 24]]
        assert "picture" not in answer
        dim = _file(square(16, colour=(200, 200, 200)))
        assert len(client.post("/predict?threshold=0.7", content=dim).json()["objects"]) == 1
        assert client.post("/predict?threshold=0.9", content=dim).json()["objects"] == []
        answer = client.post("/predict?picture=true", content=_file(square(16))).json()
        picture = Image.open(io.BytesIO(base64.b64decode(answer["picture"].partition(",")[2])))
        assert picture.format == "JPEG"
        assert client.get("/openapi.json").json()["paths"].keys() == {"/card", "/predict"}


def test_classes_and_maps_are_answered_too(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx")
    with _served(tmp_path / "a.onnx") as url:
        content = _file(np.full((4, 5, 3), (200, 0, 0), dtype=np.uint8), "BMP")
        assert httpx.post(f"{url}/predict", content=content).json()["class"] == "red"
    segmenter(tmp_path / "b.onnx")
    with _served(tmp_path / "b.onnx") as url:
        content = _file(np.full((4, 5, 3), (0, 0, 200), dtype=np.uint8), "TIFF")
        (area,) = httpx.post(f"{url}/predict", content=content).json()["areas"]
        assert (area["class"], area["pixels"]) == ("blue", 20)


def test_what_is_wrong_with_an_upload_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector(tmp_path / "a.onnx")
    monkeypatch.setattr(upload, "MOST_PIXELS", 5000)
    with _served(tmp_path / "a.onnx") as url, httpx.Client(base_url=url) as client:

        def refused(content: bytes | Iterator[bytes], code: int) -> str:
            answer = client.post("/predict", content=content)
            assert answer.status_code == code, answer.text
            return answer.json()["detail"]

        whole = _file(square(0))
        assert "no body" in refused(b"", 400)
        assert refused(b"dear diary", 400) == "the upload: is no image that can be read."
        assert refused(whole[:80], 400).startswith("the upload: cannot be read as an image")
        assert "is 20 x 20 pixels for the model" in refused(_file(square(0)[:20, :20]), 400)
        assert "at most 5,000 are taken" in refused(_file(np.zeros((80, 80, 3), dtype=np.uint8)), 400)
        assert refused(bytes(LIMIT + 1), 413) == "the upload is larger than 195.3 KB."
        # In pieces, without a length that is told before.
        assert refused(iter([bytes(LIMIT // 2)] * 3), 413) == "the upload is larger than 195.3 KB."
        assert client.post("/predict?threshold=2", content=whole).status_code == 422
        assert client.post("/predict", content=whole).status_code == 200


def test_many_at_once(tmp_path: Path) -> None:
    detector(tmp_path / "a.onnx")
    with _served(tmp_path / "a.onnx") as url:
        lefts: list[float] = [0.0] * 12

        def ask(number: int) -> None:
            answer = httpx.post(f"{url}/predict", content=_file(square(number % 8 * 8)), timeout=30).json()
            lefts[number] = answer["objects"][0]["box"][0]

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert lefts == [number % 8 * 8 for number in range(12)]


def test_an_address_in_use_is_one_sentence(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx")
    with _served(tmp_path / "a.onnx") as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(SightlineError, match=f"cannot listen at 127.0.0.1:{port}"):
            serve(open_model(tmp_path / "a.onnx"), "127.0.0.1", port, lambda _: None)


DROP = """
(async () => {
  const content = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([content], "square.png", { type: "image/png" }));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
})()
"""


@pytest.mark.parametrize(
    ("make", "rows"),
    [(detector, 1), (classifier, 3), (segmenter, 1)],
    ids=["detector", "classifier", "segmenter"],
)
def test_the_page_shows_what_is_found_on_a_dropped_image(
    tmp_path: Path, make: Callable[[Path], object], rows: int
) -> None:
    make(tmp_path / "a.onnx")
    with _served(tmp_path / "a.onnx") as url, browser(tmp_path / "profile") as page:
        page.open(url)
        assert page.do("document.title") == "handmade"
        page.do(DROP % base64.b64encode(_file(square(16))).decode())
        page.wait_for("!document.getElementById('result').hidden")
        assert page.do("document.querySelectorAll('#rows tr').length") == rows
        page.wait_for("document.getElementById('picture').naturalWidth > 0")
        assert "64 x 48 pixels" in page.do("document.getElementById('status').textContent")
        page.do(DROP % base64.b64encode(b"dear diary").decode())
        page.wait_for("document.getElementById('status').classList.contains('error')")
        assert page.do("document.getElementById('status').textContent") == (
            "the upload: is no image that can be read."
        )
