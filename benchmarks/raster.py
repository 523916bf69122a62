"""Megapixels a second from a raster to its class map, beside `habitat-mapper` and the bare ONNX Runtime.

    python benchmarks/raster.py                # 8192 x 8192 pixels, 3 rounds in turns
    python benchmarks/raster.py --quick        # 2048 x 2048 pixels, one round; holds to no bar
    python benchmarks/raster.py --memory       # only: 30,000 x 30,000 pixels within 1.5 GiB, once

An RGB GeoTIFF of aerial images (tiles of 512, deflate), tiles of 1024 pixels, two ONNX models: one that gives
its input, and a small U-Net. habitat-mapper overlaps tiles by a half; ours is measured at its own default,
and at a half with the same window. Reading, blending and writing the file count for both (ours is a Cloud
Optimized GeoTIFF with overviews, compared with what was to be written). "Bare" is the time in
`InferenceSession.run` alone for as many tiles of the same size as ours.

Prints one JSON object a line: medians; ``ratio`` says how many times better ours is. Exits with 1 where ours
is less than 3 times as fast as habitat-mapper at its default, or 1.5 times at a half; where less than 99.9 %
of the pixels are equal; where the U-Net takes more than 1.1 times the bare session; or where the peak of
memory is above that of habitat-mapper.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from peers import BENCH_FOLDER, peer_python
from raster_models import make_models

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CONTENDERS = Path(__file__).with_name("raster_contenders.py")
PEER = "habitat-mapper 0.16"
LEAST_FASTER, LEAST_FASTER_AT_HALF, LEAST_EQUAL, MOST_OF_BARE = 3.0, 1.5, 0.999, 1.1
LARGE, MOST_MIB = 30_000, 1536


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small, one round, no bars")
    parser.add_argument("--memory", action="store_true", help="only the memory of a raster of 900 megapixels")
    parser.add_argument("--size", type=int, help="side of the raster in pixels")
    parser.add_argument("--rounds", type=int, help="rounds in turns")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.memory:
            return measure_memory(folder, options.size or LARGE)
        size = options.size or (2048 if options.quick else 8192)
        rounds = options.rounds or (1 if options.quick else 3)
        missed = compare(folder, size, rounds)
    for sentence in missed:
        print(f"missed: {sentence}", file=sys.stderr)
    return 1 if missed and not options.quick else 0


def compare(folder: Path, size: int, rounds: int) -> list[str]:
    """Print all measurements; which bars were missed."""
    peer = peer_python("habitat-mapper==0.16.*")
    aerial = aerial_image()
    image = folder / "image.tif"
    write_large(image, aerial, size)
    missed = []
    for name, model in make_models(BENCH_FOLDER / "raster-models", aerial).items():
        pythons = {
            "ours": Path(sys.executable),
            "ours-half": Path(sys.executable),
            "bare": Path(sys.executable),
            "habitat-mapper": peer,
        }
        runs: dict[str, list[dict[str, float]]] = {who: [] for who in pythons}
        for _ in range(rounds):
            for who, python in pythons.items():
                runs[who].append(run(python, who, model, image, folder / f"{who}.tif"))
        seconds = {who: statistics.median(one["seconds"] for one in of) for who, of in runs.items()}
        peaks = {who: max(one["peak_mib"] for one in of) for who, of in runs.items()}
        missed += judge(name, size, folder, seconds, peaks)
    return missed


def judge(
    model: str, size: int, folder: Path, seconds: dict[str, float], peaks: dict[str, float]
) -> list[str]:
    missed = []
    speed = {who: size * size / 1e6 / taken for who, taken in seconds.items()}
    with rasterio.open(folder / "habitat-mapper.tif") as raster:
        theirs = raster.read(1)
    for who, least in (("ours", LEAST_FASTER), ("ours-half", LEAST_FASTER_AT_HALF)):
        with rasterio.open(folder / f"{who}.tif") as raster:
            classes = raster.read(1)
        equal = float((classes == theirs)[classes != raster.nodata].mean())
        label = f"{model}_{'default' if who == 'ours' else 'half'}_overlap"
        ratio = line(f"megapixels_per_second_{label}", speed[who], speed["habitat-mapper"], PEER)
        line(f"peak_mib_{label}", peaks[who], peaks["habitat-mapper"], PEER, less_is_better=True)
        line(f"equal_pixels_{label}", equal, 1.0, PEER)
        if ratio < least:
            missed.append(f"{label}: {ratio:.2f} times as fast, not {least:g}")
        if equal < LEAST_EQUAL:
            missed.append(f"{label}: {equal:.4%} of the pixels are equal")
        if peaks[who] > peaks["habitat-mapper"]:
            missed.append(f"{label}: {peaks[who]:.0f} MiB at the peak")
    line(f"seconds_{model}", seconds["ours"], seconds["bare"], "bare ONNX Runtime", less_is_better=True)
    if model == "unet" and seconds["ours"] > MOST_OF_BARE * seconds["bare"]:
        missed.append(f"{model}: {seconds['ours'] / seconds['bare']:.2f} times the bare session")
    return missed


def line(metric: str, ours: float, peer: float, name: str, less_is_better: bool = False) -> float:
    ratio = peer / ours if less_is_better else ours / peer
    numbers = {"metric": metric, "ours": round(ours, 4), "peer": round(peer, 4), "peer_name": name}
    print(json.dumps(numbers | {"ratio": round(ratio, 4)}), flush=True)
    return ratio


def run(python: Path, who: str, model: Path, image: Path, result: Path) -> dict[str, float]:
    command = [python, CONTENDERS, who, model, image, result]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(f"{who} failed:\n{process.stderr}")
    return json.loads(process.stdout.splitlines()[-1])


def measure_memory(folder: Path, size: int) -> int:
    """A raster of ``size`` x ``size`` pixels with a model that costs nothing; the peak of the process."""
    image = folder / "large.tif"
    aerial = aerial_image()
    write_large(image, aerial, size, every=8)
    model = make_models(BENCH_FOLDER / "raster-models", aerial)["identity"]
    report = run(Path(sys.executable), "ours", model, image, folder / "result.tif")
    line(f"peak_mib_{size}_pixels", report["peak_mib"], MOST_MIB, "1.5 GiB", less_is_better=True)
    print(f"{size * size / 1e6 / report['seconds']:.1f} megapixels a second", file=sys.stderr)
    return 0 if report["peak_mib"] <= MOST_MIB else 1


def aerial_image() -> np.ndarray:
    """Real aerial images in colour, side by side: uint8 (3, height, width)."""
    paths = sorted((SHARED_DATA / "naip-water").glob("*/x/*.tif"))[:4]
    parts = []
    for path in paths:
        with rasterio.open(path) as raster:
            parts.append(raster.read([1, 2, 3])[:, 50:650, 50:650])
    return np.concatenate([np.concatenate(parts[:2], axis=2), np.concatenate(parts[2:], axis=2)], axis=1)


def write_large(path: Path, image: np.ndarray, size: int, every: int = 1) -> None:
    """``image`` over and over, each time a little brighter or darker, on ``size`` x ``size`` pixels.

    Of strips of 512 rows only one of ``every`` is written; the others are black, and take up no room.
    """
    height, width = image.shape[1:]
    generator = np.random.default_rng(0)
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=3, dtype="uint8", crs="EPSG:32614",
        transform=rasterio.Affine(0.6, 0, 500_000, 0, -0.6, 5_000_000), compress="deflate", zlevel=1,
        tiled=True, blockxsize=512, blockysize=512, photometric="RGB", bigtiff="if_safer", sparse_ok=True,
    ) as target:  # fmt: skip
        for top in range(0, size, 512 * every):
            rows = min(512, size - top)
            strip = np.take(image, np.arange(top, top + rows) % height, axis=1)
            parts = [
                (strip.astype(np.int16) + generator.integers(-9, 10)).clip(1, 254).astype(np.uint8)
                for _ in range(-(-size // width))
            ]
            target.write(np.concatenate(parts, axis=2)[:, :, :size], window=((top, top + rows), (0, size)))


if __name__ == "__main__":
    sys.exit(main())
