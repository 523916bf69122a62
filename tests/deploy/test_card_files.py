import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.deploy.card import CARD_KEY
from sightline.deploy.card_files import format_of, read_card
from sightline.errors import SightlineError
from tests.deploy.handmade import card, classifier, without_card


def test_formats_go_by_the_ending() -> None:
    found = [
        format_of(Path(name)) for name in ("a.onnx", "a.PT2", "a.torchscript", "a.safetensors", "a.jpg", "a")
    ]
    assert found == ["onnx", "pt2", "torchscript", "safetensors", None, None]


def test_a_card_is_found_in_an_onnx_file(tmp_path: Path) -> None:
    made = classifier(tmp_path / "a.onnx")
    assert read_card(tmp_path / "a.onnx") == made


@pytest.mark.parametrize("suffix", ["pt2", "torchscript"])
def test_a_card_is_found_in_a_zip_file(tmp_path: Path, suffix: str) -> None:
    made = card("segmentation", ["a", "b"])
    path = tmp_path / f"a.{suffix}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
        archive.writestr(f"archive/extra/{CARD_KEY}", made.to_text())
    assert read_card(path) == made


def _safetensors(path: Path, metadata: dict[str, str]) -> None:
    tensors = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    header = json.dumps({"__metadata__": metadata, **tensors}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))


def test_a_card_is_found_in_a_safetensors_file(tmp_path: Path) -> None:
    made = card("classification", ["a", "b"])
    _safetensors(tmp_path / "a.safetensors", {CARD_KEY: made.to_text()})
    assert read_card(tmp_path / "a.safetensors") == made


def test_files_without_a_card_say_what_to_do(tmp_path: Path) -> None:
    _safetensors(tmp_path / "a.safetensors", {})
    for path in (without_card(tmp_path / "a.onnx"), tmp_path / "a.safetensors"):
        with pytest.raises(
            SightlineError, match="has no model card, so its classes and preprocessing are unk"
        ):
            read_card(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("dear diary")
    with pytest.raises(SightlineError, match=r"a\.onnx: cannot be read as a model; is the file whole\?"):
        read_card(tmp_path / "a.onnx")
    with pytest.raises(SightlineError, match=r"b\.onnx: there is no such file"):
        read_card(tmp_path / "b.onnx")
    with pytest.raises(SightlineError, match=r"a\.jpg: is not the name of a model file; they end in \.onnx"):
        read_card(tmp_path / "a.jpg")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    classifier(folder / "a.onnx")
    _safetensors(folder / "a.safetensors", {CARD_KEY: card("classification", ["a"]).to_text()})
    return {suffix: (folder / f"a.{suffix}").read_bytes() for suffix in ("onnx", "safetensors")}


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_truncated_file_is_one_sentence(
    whole: dict[str, bytes], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    suffix = data.draw(st.sampled_from(sorted(whole)))
    content = whole[suffix][: data.draw(st.integers(0, len(whole[suffix]) - 1))]
    path = tmp_path_factory.getbasetemp() / f"truncated.{suffix}"
    path.write_bytes(content)
    with pytest.raises(SightlineError, match=r"cannot be read as a model|has no model card"):
        read_card(path)
