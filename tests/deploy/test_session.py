from pathlib import Path

import numpy as np
import pytest

from sightline.deploy.session import OnnxSession
from sightline.errors import SightlineError
from tests.deploy.handmade import classifier


def test_a_file_gives_its_outputs(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx")
    session = OnnxSession(tmp_path / "a.onnx", parallel=2)
    images = np.zeros((2, 3, 5, 7), dtype=np.uint8)
    images[1, 2] = 255
    (scores,) = session.run(images)
    assert np.allclose(scores[0], 1 / 3)
    assert scores[1].argmax() == 2
    assert session.device == "cpu"


@pytest.mark.parametrize("device", ["tpu", "cuda:one"])
def test_an_unknown_device_is_refused(tmp_path: Path, device: str) -> None:
    classifier(tmp_path / "a.onnx")
    with pytest.raises(
        SightlineError, match=f"device '{device}': is none of auto, cpu, cuda, tensorrt, coreml"
    ):
        OnnxSession(tmp_path / "a.onnx", device)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    import onnxruntime

    if "CoreMLExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("has CoreML")
    classifier(tmp_path / "a.onnx")
    with pytest.raises(SightlineError, match=r"device 'coreml': this ONNX Runtime has .*cpu.* only"):
        OnnxSession(tmp_path / "a.onnx", "coreml")


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx")
    content = (tmp_path / "a.onnx").read_bytes()
    (tmp_path / "a.onnx").write_bytes(content[:100])
    with pytest.raises(SightlineError, match=r"a\.onnx: cannot be read as an ONNX model \("):
        OnnxSession(tmp_path / "a.onnx")
    with pytest.raises(SightlineError, match=r"b\.onnx: there is no such file"):
        OnnxSession(tmp_path / "b.onnx")


def test_what_cannot_be_computed_is_one_sentence(tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx")
    with pytest.raises(SightlineError, match=r"cannot be computed for images of 1 x 4 x 5 x 7 \("):
        OnnxSession(tmp_path / "a.onnx").run(np.zeros((1, 4, 5, 7), dtype=np.uint8))
