import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sightline.data import Bitmask, Classification, Dataset, Point, Polygon, Sample
from sightline.data.packed import Pack
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, INFO, WIDTH, classification_dataset, write_picture


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return classification_dataset(tmp_path / "images", {("train", "dog"): 3, ("test", "cat"): 2})


def _images(pack: Pack, dataset: Dataset) -> list[np.ndarray]:
    pixels = np.fromfile(pack.pixels, dtype=np.uint8)
    starts, sizes = pack.find(dataset.samples)
    return [
        pixels[start : start + height * width * 3].reshape(height, width, 3)
        for start, (height, width) in zip(starts.tolist(), sizes.tolist(), strict=True)
    ]


def test_a_pack_serves_every_selection_of_its_dataset(dataset: Dataset, tmp_path: Path) -> None:
    dataset.pack(tmp_path / "pack")
    pack = Pack.open(tmp_path / "pack")
    for part in (dataset, dataset.create_split_dataset("test"), dataset.shuffle(3)):
        for image, sample in zip(_images(pack, part), part, strict=True):
            assert (image == sample.read_image()).all()


def test_the_same_dataset_gives_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    one, other = dataset.pack(tmp_path / "one"), dataset.pack(tmp_path / "two")
    for name in sorted(path.name for path in one.folder.iterdir()):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()
    assert json.loads((one.folder / "pack.json").read_text())["size"] is None


def test_images_are_scaled_and_masks_with_them(tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[2:6, 4:12] = True
    corners = [Point(0.25, 0.25), Point(0.75, 0.25), Point(0.75, 0.75), Point(0.25, 0.75)]
    sample = Sample(
        file_path=str(write_picture(tmp_path / "a.png")),
        height=HEIGHT,
        width=WIDTH,
        bitmasks=[Bitmask.from_mask(mask, class_name="cat")],
        polygons=[Polygon(points=corners, class_name="cat")],
    )
    dataset = Dataset.from_samples([sample], INFO)
    pack = dataset.pack(tmp_path / "pack", size=(6, 32))
    expected = Image.fromarray(dataset[0].read_image()).resize((32, 6), Image.Resampling.BILINEAR)
    assert (_images(pack, dataset)[0] == np.asarray(expected)).all()

    from sightline.data.loading import TorchDataset

    image, target = TorchDataset(dataset, task=Bitmask, storage=tmp_path / "pack")[0]
    assert image.shape == (3, 6, 32)
    assert target["boxes"].tolist() == [[8, 1, 24, 3]]
    assert target["masks"][0, 1:3, 8:24].all()
    assert int(target["masks"].sum()) == 2 * 16
    _, target = TorchDataset(dataset, task=Polygon, storage=pack)[0]
    assert target["masks"].shape == (1, 6, 32)


def test_a_pack_of_other_images_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    pack = dataset.pack(tmp_path / "pack")
    path = Path(dataset[1].file_path or "")
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    same_size = path.read_bytes()[:-1] + b"\0"
    path.write_bytes(same_size)
    with pytest.raises(
        SightlineError, match=r"-1\.png: has changed since it was put into the pack .*\(1 such"
    ):
        pack.find(dataset.samples)
    write_picture(path, 77, (HEIGHT, WIDTH))
    os.utime(path, ns=times)
    longer = path.read_bytes() + b"\0"
    path.write_bytes(longer)
    with pytest.raises(SightlineError, match="has changed since"):
        pack.find(dataset.samples)
    other = classification_dataset(tmp_path / "others", {("train", "dog"): 1})
    with pytest.raises(SightlineError, match=r"others/train-dog-0\.png: is not in the pack .* pack it again"):
        pack.find(other.samples)
    taller = dataset.samples.with_columns(height=dataset.samples["height"] + 1)
    with pytest.raises(SightlineError, match="has another size in the pack"):
        pack.find(taller)


def test_a_copy_with_a_new_time_and_a_file_that_is_gone_have_not_changed(
    dataset: Dataset, tmp_path: Path
) -> None:
    pack = dataset.pack(tmp_path / "pack")
    os.utime(dataset[0].file_path or "", ns=(1, 1))
    Path(dataset[1].file_path or "").unlink()
    assert len(pack.find(dataset.samples)[0]) == 5


def test_a_pack_moves_with_its_images(dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "here" / "data"
    written = dataset.write(folder)
    written.pack(tmp_path / "here" / "pack")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    shutil.rmtree(tmp_path / "here")
    moved = Dataset.from_path(tmp_path / "there" / "data")
    images = _images(Pack.open(tmp_path / "there" / "pack"), moved)
    assert (images[2] == moved[2].read_image()).all()


def test_one_file_of_many_samples_is_packed_once(dataset: Dataset, tmp_path: Path) -> None:
    twice = dataset.replace(samples=dataset.samples.vstack(dataset.samples))
    pack = twice.pack(tmp_path / "pack")
    assert pack.pixels.stat().st_size == 5 * HEIGHT * WIDTH * 3
    assert len(_images(pack, twice)) == 10


def test_it_is_written_whole_or_not_at_all(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(dataset[4].file_path or "").write_bytes(b"no image")
    target = tmp_path / "packs" / "pack"
    with pytest.raises(SightlineError, match="cannot be read as an image"):
        dataset.pack(target)
    assert list(target.parent.iterdir()) == []
    whole = dataset.create_split_dataset("train")
    whole.pack(target)
    with pytest.raises(SightlineError, match="exists already"):
        whole.pack(target)
    with pytest.raises(SightlineError, match="cannot be read as an image"):
        dataset.pack(target, overwrite=True)
    assert len(Pack.open(target).index) == 3
    assert whole.pack(target, size=(2, 2), overwrite=True).size == (2, 2)
    with pytest.raises(SightlineError, match=r"images: has no pack\.json, so it is not overwritten"):
        whole.pack(tmp_path / "images", overwrite=True)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(SightlineError, match=r"take up 1\.7 KB but the disk has 1000 B left; give a smaller"):
        whole.pack(tmp_path / "large")


def test_what_is_not_a_pack_is_one_sentence(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"images: is not a pack \(pack\.json is missing\); write one"):
        Pack.open(tmp_path / "images")
    pack = dataset.pack(tmp_path / "pack")
    for name, content in (
        ("pixels.bin", b"short"),
        ("index.parquet", b"PAR1"),
        ("pack.json", b"{"),
        ("pack.json", b"[]"),
    ):
        damaged = tmp_path / f"damaged-{name}"
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(pack.folder, damaged)
        (damaged / name).write_bytes(content)
        with pytest.raises(SightlineError, match=r"pack it again\.$"):
            Pack.open(damaged)
    with pytest.raises(SightlineError, match=r"size=\(0, 4\)"):
        dataset.pack(tmp_path / "flat", size=(0, 4))
    nowhere = Sample(file_path=None, height=2, width=2, classifications=[Classification(class_name="cat")])
    with pytest.raises(SightlineError, match="has samples without an image file"):
        Dataset.from_samples([nowhere], INFO).pack(tmp_path / "none")


def test_a_dataset_without_samples(dataset: Dataset, tmp_path: Path) -> None:
    empty = dataset[:0]
    pack = empty.pack(tmp_path / "pack")
    assert [len(found) for found in Pack.open(pack.folder).find(empty.samples)] == [0, 0]
