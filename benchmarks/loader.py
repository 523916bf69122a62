"""Images a second into training batches, beside torchvision's ImageFolder, `hafnia` and WebDataset.

    python benchmarks/loader.py            # 5 rounds of epochs in turns
    python benchmarks/loader.py --quick    # 2 rounds over fewer images

Two sets of images: CIFAR-10 (32x32) and photographs of 640x480 pixels. Two ways to use them: "plain" (to
normalised float batches) and "augmented" (CIFAR-10: shifted by up to 4 pixels and mirrored; photographs:
a random part scaled to 224x224 and mirrored). All have the same images, batch size, number of workers and
the same transforms of torchvision; "batchwise" is our `ShiftFlip` in place of these, of the same
distribution. The batches are float32 and normalised in every case. Epochs are run in
turns, so that whatever else the machine does meets all.

Prints one JSON object a line: medians of images a second; ``ratio`` says how many times as many ours are.
Without ``--quick`` it exits with 1 where ours from files is less than 1.3 times as fast as ImageFolder, or
packed or in RAM less than 3 times on CIFAR-10.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import torch
import torchvision
from peers import peer_python

from sightline.data import Dataset

PEER_PACKAGES = (
    "hafnia==0.8.6",
    f"torch=={torch.__version__.partition('+')[0]}",
    f"torchvision=={torchvision.__version__.partition('+')[0]}",
    "webdataset==1.0.2",
)
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CONTENDERS = Path(__file__).with_name("loader_contenders.py")
WORKERS = (0, 2)
LEAST_FROM_FILES, LEAST_HELD = 1.3, 3.0
SETTINGS = {
    "cifar_plain": ("files", "ram", "packed"),
    "cifar_augmented": ("files", "ram", "packed", "files_batchwise", "packed_batchwise"),
    "photos_plain": ("files", "packed"),
    "photos_augmented": ("files", "packed"),
}
PEERS = {"imagefolder": "torchvision ImageFolder", "hafnia": "hafnia 0.8.6", "webdataset": "WebDataset 1.0.2"}


class Environment:
    """A process that has a contender run an epoch whenever it is asked to."""

    def __init__(self, python: Path | str, data: Path) -> None:
        self._process = subprocess.Popen(
            [python, CONTENDERS, data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def images_per_second(self, *what: str | int) -> float:
        """Of an epoch of the contender, setting and number of workers."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        print(*what, file=into, flush=True)
        return float(out.readline())

    def __enter__(self) -> "Environment":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2 rounds over fewer images; holds to no bar")
    quick = parser.parse_args().quick
    peer_environment = peer_python(*PEER_PACKAGES)
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        prepare(data, quick)
        with Environment(sys.executable, data) as ours, Environment(peer_environment, data) as theirs:
            for setting, ways in SETTINGS.items():
                for workers in WORKERS:
                    contenders = dict.fromkeys(ways, ours) | dict.fromkeys(PEERS, theirs)
                    rates = measure(contenders, setting, workers, 2 if quick else 5)
                    missed |= report(setting, ways, workers, rates)
    return 1 if missed and not quick else 0


def measure(contenders: dict[str, Environment], setting: str, workers: int, rounds: int) -> dict[str, float]:
    """The median of images a second of each contender; the first round, of cold caches, does not count."""
    measured = [
        [where.images_per_second(name, setting, workers) for name, where in contenders.items()]
        for _ in range(1 + rounds)
    ]
    return dict(zip(contenders, map(statistics.median, zip(*measured[1:], strict=True)), strict=True))


def report(setting: str, ways: tuple[str, ...], workers: int, rates: dict[str, float]) -> bool:
    """Print the ratios; whether one misses its bar."""
    missed = False
    for way in ways:
        for peer, title in PEERS.items():
            ratio = rates[way] / rates[peer]
            line = {
                "metric": f"images_per_second_{setting}_{way}_{workers}_workers",
                "ours": round(rates[way]),
                "peer": round(rates[peer]),
                "peer_name": title,
                "ratio": round(ratio, 2),
            }
            print(json.dumps(line), flush=True)
            least = LEAST_FROM_FILES if way.startswith("files") else LEAST_HELD
            held_to = way.startswith("files") or setting.startswith("cifar")
            if peer == "imagefolder" and held_to and ratio < least:
                print(f"missed: {line['metric']} is to be {least:g} times as fast", file=sys.stderr)
                missed = True
    return missed


def prepare(data: Path, quick: bool) -> None:
    """The same images as a folder per class, a dataset folder, a pack and two tar files."""
    with zipfile.ZipFile(SHARED_DATA / "cifar10" / "cifar10-6k.zip") as archive:
        names = sorted(name for name in archive.namelist() if "/train/" in name and name.endswith(".jpg"))
        for name in names[:: 10 if quick else 1]:
            copy(data / "cifar" / "images" / name.split("/train/")[1], archive.read(name))
    photos = sorted((SHARED_DATA / "bccd" / "JPEGImages").glob("*.jpg"))[: 64 if quick else None]
    for number, photo in enumerate(photos):
        copy(data / "photos" / "images" / "ab"[number % 2] / photo.name, photo.read_bytes())
    for name in ("cifar", "photos"):
        folder = data / name
        dataset = Dataset.from_image_folder(folder / "images", name=name).write(folder / "dataset")
        dataset.pack(folder / "pack")
        write_tars(dataset, folder)


def copy(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def write_tars(dataset: Dataset, folder: Path) -> None:
    for number in range(max(WORKERS)):  # a worker reads whole files
        with tarfile.open(folder / f"{number}.tar", "w") as tar:
            for index in range(number, len(dataset), max(WORKERS)):
                sample = dataset[index]
                label = sample.classifications[0].class_idx if sample.classifications else None
                content = {"jpg": Path(sample.file_path or "").read_bytes(), "cls": str(label).encode()}
                for suffix, payload in content.items():
                    member = tarfile.TarInfo(f"{index:06d}.{suffix}")
                    member.size = len(payload)
                    tar.addfile(member, BytesIO(payload))


if __name__ == "__main__":
    sys.exit(main())
