import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sightline.deploy import open_model, read_card
from sightline.deploy.card import ModelCard
from sightline.deploy.card_files import FORMATS, Format
from sightline.deploy.export import export_module
from sightline.deploy.graph import Graph
from sightline.deploy.torch_session import TorchSession
from sightline.errors import SightlineError
from tests.deploy.export.nets import (
    GridDetector,
    OneImageNet,
    PatchNet,
    PixelNet,
    PooledNet,
    TwoFacedNet,
)
from tests.needs import needs


def _card(task: str, classes: int, **values: Any) -> ModelCard:
    return ModelCard(
        name="net",
        task=task,
        classes=[f"c{number}" for number in range(classes)],
        preprocessing={},
        input=values.pop("input", {}),
        selection={} if task == "detection" else None,
        **values,
    )  # pyright: ignore[reportArgumentType]


def _noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    high = 60000 if dtype == np.uint16 else 256
    return np.random.default_rng(1).integers(0, high, shape).astype(dtype)


def _of_torch(model: nn.Module, card: ModelCard, images: np.ndarray) -> list[np.ndarray]:
    return TorchSession(Graph(model, card).eval(), torch.device("cpu")).run(images)


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_gives_what_the_module_gives(tmp_path: Path, format: Format) -> None:
    model, path = PixelNet(), tmp_path / f"net.{format}"
    made = export_module(model, _card("segmentation", 2), path, format=format, size=(48, 64))
    assert read_card(path) == made
    assert made.check is not None
    assert (made.check.images, made.check.largest_difference < 1e-5) == ("random", True)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    if format == "safetensors":
        with pytest.raises(SightlineError, match=r"holds the weights of a model of one's own, without its"):
            open_model(path)
        return
    found = open_model(path, device="cpu")
    assert (made.input.batch, made.input.size, made.input.multiple) == (None, None, 1)
    for shape in [(3, 3, 48, 64), (1, 3, 33, 71)]:
        images = _noise(*shape)
        assert np.allclose(found.scores(images)[0], _of_torch(model, made, images)[0], atol=1e-5)


def test_a_detector_as_onnx(tmp_path: Path) -> None:
    model = GridDetector()
    made = export_module(model, _card("detection", 2), tmp_path / "net.onnx", size=(64, 64))
    images = _noise(2, 3, 40, 80)
    found = open_model(tmp_path / "net.onnx").scores(images)
    for one, other in zip(found, _of_torch(model, made, images), strict=True):
        assert np.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "task", "classes", "wanted"),
    [
        (PixelNet(multiple=32), "segmentation", 2, {"multiple": 32}),
        (PixelNet(classes=1), "segmentation", 2, {}),
        (PatchNet(), "classification", 3, {"size": (32, 32)}),
        (OneImageNet(), "classification", 3, {"batch": 1}),
    ],
)
def test_the_card_says_which_images_are_taken(
    tmp_path: Path, model: nn.Module, task: str, classes: int, wanted: dict[str, Any]
) -> None:
    size = (32, 32)
    made = export_module(model, _card(task, classes), tmp_path / "net.pt2", format="pt2", size=size)
    given = made.input.model_dump(exclude={"type"})
    if "batch" in wanted:  # the size, of which it would take any, is not tried apart
        given.pop("size")
        wanted = {"multiple": 1, **wanted}
        assert given == wanted
        return
    assert given == {"batch": None, "size": None, "multiple": 1} | wanted
    found = open_model(tmp_path / "net.pt2")
    images = _noise(3, 3, 32, 32)
    assert np.allclose(found.scores(images)[0], _of_torch(model, made, images)[0], atol=1e-5)


@pytest.mark.parametrize("format", ["onnx", "pt2"])
def test_what_comes_out_wrong_for_other_numbers_of_images_is_made_for_one(
    tmp_path: Path, format: Format
) -> None:
    path, model = tmp_path / f"net.{format}", TwoFacedNet(lambda logits: logits[:2])
    made = export_module(model, _card("classification", 3), path, format=format, size=(32, 48))
    assert made.input.batch == 1
    images = _noise(1, 3, 32, 48)
    assert np.allclose(open_model(path).scores(images)[0], _of_torch(model, made, images)[0], atol=1e-5)


def test_what_comes_out_wrong_for_other_sizes_is_made_for_one(tmp_path: Path) -> None:
    made = export_module(PooledNet(), _card("classification", 3), tmp_path / "net.onnx", size=(32, 48))
    assert made.input.size == (32, 48)
    with pytest.raises(SightlineError, match="which takes 32 x 48 only"):
        open_model(tmp_path / "net.onnx").predict([_noise(48, 48, 3)])


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_other_types_of_pixels(tmp_path: Path, dtype: Any) -> None:
    model, path = PixelNet(channels=2), tmp_path / "net.pt2"
    preprocessing = {"bands": [2, 1], "scale": 10000, "mean": [0.1, 0.2], "std": [0.2, 0.3]}
    card = _card("segmentation", 2, input={"type": dtype})
    card = card.model_copy(update={"preprocessing": type(card.preprocessing)(**preprocessing)})
    made = export_module(model, card, path, format="pt2", size=(32, 32))
    images = _noise(1, 2, 32, 32, dtype=np.dtype(dtype))
    logits = model.eval()(torch.from_numpy(card.preprocessing.normalized(images)))
    expected = logits.softmax(1).detach().numpy()
    assert np.allclose(open_model(path).scores(images)[0], expected, atol=1e-5)
    assert made.input.type == dtype


def test_half_precision_makes_half_the_file_and_leaves_the_model_alone(tmp_path: Path) -> None:
    model = PixelNet()
    sizes = {}
    for precision in ("fp32", "fp16"):
        card, path = _card("segmentation", 2, precision=precision), tmp_path / f"{precision}.torchscript"
        made = export_module(model, card, path, format="torchscript", size=(32, 32))
        weights = tmp_path / f"{precision}.safetensors"
        export_module(model, card, weights, format="safetensors", size=(32, 32))
        sizes[precision] = sum(tensor.nbytes for tensor in _tensors(weights).values())
        found = open_model(path).scores(_noise(1, 3, 32, 32))[0]
        assert found.dtype == np.float32
        assert made.check is not None
        assert made.check.largest_difference < 0.01
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
    assert next(model.parameters()).dtype == torch.float32


def _tensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def test_eight_bits_are_calibrated_on_real_images(tmp_path: Path) -> None:
    card = _card("segmentation", 2, precision="int8")
    images = [_noise(2, 3, 32, 32)]
    made = export_module(PixelNet(), card, tmp_path / "net.onnx", size=(32, 32), images=images)
    assert made.check is not None
    assert (made.check.images, made.check.count) == ("real", 2)
    assert 0 < made.check.largest_difference < 0.1
    import onnx

    kinds = {node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    assert read_card(tmp_path / "net.onnx").precision == "int8"


def test_eight_bits_need_onnx_and_images(tmp_path: Path) -> None:
    card = _card("segmentation", 2, precision="int8")
    with pytest.raises(SightlineError, match="int8 is for ONNX files; choose fp32 or fp16 for pt2"):
        export_module(PixelNet(), card, tmp_path / "net.pt2", format="pt2", size=(32, 32))
    with pytest.raises(SightlineError, match="int8 takes the ranges of its numbers from real images"):
        export_module(PixelNet(), card, tmp_path / "net.onnx", size=(32, 32))


def test_a_file_that_says_something_else_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_text("what was here before")
    with pytest.raises(SightlineError, match="the exported file's scores differ from the model's by 0"):
        export_module(
            TwoFacedNet(lambda logits: logits + torch.arange(3)),
            _card("classification", 3),
            path,
            format="pt2",
            size=(32, 32),
        )
    assert path.read_text() == "what was here before"
    assert [one.name for one in tmp_path.iterdir()] == ["net.pt2"]


def test_a_model_that_gives_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"the model gives \(1, 3\) for 1 images of 4 classes, which i"):
        export_module(OneImageNet(), _card("classification", 4), tmp_path / "net.onnx", size=(32, 32))
    with pytest.raises(SightlineError, match="which is not what segmentation gives"):
        export_module(OneImageNet(), _card("segmentation", 3), tmp_path / "net.onnx", size=(32, 32))


@pytest.mark.parametrize("format", ["pt2", "torchscript"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, format: Format) -> None:
    path = tmp_path / f"net.{format}"
    export_module(PixelNet(), _card("segmentation", 2), path, format=format, size=(32, 32))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SightlineError, match=rf"net\.{format}: cannot be read as a model; is the file whol"):
        open_model(path)
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
    with pytest.raises(SightlineError, match=rf"net\.{format}: cannot be read; is the file whole\?"):
        open_model(path)
    refusals = []
    for start in range(0, len(content), len(content) // 20):  # in names, in compressed code, in weights
        for byte in (b"\x00", b"\xff"):
            path.write_bytes(content[:start] + byte * 64 + content[start + 64 :])
            try:
                open_model(path)  # where only what fills the file up was damaged
            except SightlineError as error:
                refusals.append(str(error))
    assert len(refusals) > 30
    sentence = rf"net\.{format}: cannot be read( as a model)?; is the file whole\?"
    assert all(re.search(sentence, refusal) for refusal in refusals)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = os.getuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    needs("the right to mount a tmpfs", mounted)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("format", ["torchscript", "safetensors"])
def test_a_full_disk_is_one_sentence_and_leaves_no_file(small_disk: Path, format: Format) -> None:
    model = nn.Sequential(PixelNet(), nn.Conv2d(2, 2, 91, padding=45))
    path = small_disk / f"net.{format}"
    with pytest.raises(SightlineError, match=rf"net\.{format}: cannot be written \(No space left on device"):
        export_module(model, _card("segmentation", 2), path, format=format, size=(32, 32))
    assert list(small_disk.iterdir()) == []
