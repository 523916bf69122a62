import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sightline.errors import SightlineError
from sightline.models.pretrained import read_weights_file

WEIGHTS = {"a.weight": torch.arange(3.0), "b": torch.ones(2, 2)}


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".safetensors"])
def test_files_of_both_kinds(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path)
    read = read_weights_file(path)
    assert read.keys() == WEIGHTS.keys()
    assert all(torch.equal(read[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize(
    "stored",
    [
        {"state_dict": WEIGHTS, "epoch": 3},
        {"model": {"state_dict": WEIGHTS}, "optimizer": {"state": {}}},
        {**WEIGHTS, "epoch": 3},
    ],
)
def test_weights_are_found_among_other_things(tmp_path: Path, stored: dict[str, Any]) -> None:
    torch.save(stored, tmp_path / "checkpoint.pt")
    assert read_weights_file(tmp_path / "checkpoint.pt").keys() == WEIGHTS.keys()


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_no_code_of_a_file_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    torch.save({"a": Trap(trap)}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"a": Trap(trap)}))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(SightlineError, match=rf"{name}: cannot be read as plain weights"):
            read_weights_file(tmp_path / name)
    assert not trap.exists()


def test_what_is_no_file_of_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    (tmp_path / "weights.h5").write_bytes(b"nothing")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    for name, message in {
        "missing.pt": "there is no such file",
        "broken.safetensors": "is not a safetensors file",
        "broken.pth": "cannot be read as plain weights",
        "weights.h5": "weights are read from files that end in",
        "empty.pt": "has no weights",
        "list.pt": "has no weights",
    }.items():
        with pytest.raises(SightlineError, match=rf"{name}: {message}"):
            read_weights_file(tmp_path / name)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(WEIGHTS, path, _use_new_zipfile_serialization=zipped)
    content, refusals = path.read_bytes(), []
    for start in range(0, len(content), 11):
        for byte in (b"\x00", b"\xff"):
            path.write_bytes(content[:start] + byte * 4 + content[start + 4 :])
            try:
                read_weights_file(path)  # where only numbers, or what fills the file up, were damaged
            except SightlineError as error:
                refusals.append(str(error))
    assert len(refusals) > 50
    assert all("weights.pth: " in refusal for refusal in refusals)
