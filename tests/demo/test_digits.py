from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from sightline.demo.digits import write_digits


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def test_all_digits_are_there_once_and_unchanged(tmp_path: Path) -> None:
    assert write_digits(tmp_path) == 1797
    found = {int(Path(name).stem): name for name in pictures(tmp_path)}
    assert sorted(found) == list(range(1797))
    images, labels = load_digits(return_X_y=True)
    for index in (0, 400, 1796):
        assert found[index].split("/")[1] == str(labels[index])
        with Image.open(tmp_path / found[index]) as image:
            stored = np.asarray(image).astype(float)
        assert stored.shape == (8, 8)
        assert np.abs(stored / 16 - images[index].reshape(8, 8)).max() < 0.1


def test_splits_hold_their_share_of_every_digit(tmp_path: Path) -> None:
    write_digits(tmp_path)
    for digit in range(10):
        counts = [len(list((tmp_path / s / str(digit)).iterdir())) for s in ("train", "validation", "test")]
        shares = np.array(counts) / sum(counts)
        assert np.allclose(shares, (0.7, 0.1, 0.2), atol=0.01)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_digits(tmp_path / name, seed)
    assert pictures(tmp_path / "a") == pictures(tmp_path / "b")
    assert pictures(tmp_path / "a").keys() != pictures(tmp_path / "c").keys()
