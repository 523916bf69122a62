"""One contender of `raster.py` on one raster with one model, in a process of its own.

    python benchmarks/raster_contenders.py ours|ours-half|bare|habitat-mapper <model.onnx> <image> <result>

Prints JSON: seconds from the opened model to the finished file, and the peak memory of the process in MiB.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

TILE = 1024
CLASSES = ("dark", "middle", "bright")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def ours(model: Path, image: Path, result: Path, half: bool = False) -> float:
    import rasterio.shutil  # noqa: F401 (which the others have imported by now as well)

    from sightline.deploy.predictor import PARALLEL
    from sightline.deploy.raster import RasterSettings, TileSettings, predict_raster
    from sightline.deploy.session import OnnxSession

    tiles = TileSettings(tile=TILE, overlap=0.5, margin=0) if half else TileSettings(tile=TILE)
    opened, prepare = OnnxSession(model, "cpu", parallel=PARALLEL), preprocessing()
    began = time.perf_counter()

    def run(images: np.ndarray) -> np.ndarray:
        return opened.run(prepare(images))[0]

    settings = RasterSettings(tiles=tiles)
    predict_raster(image, result, run, classes=CLASSES, settings=settings, channels=3, parallel=PARALLEL)
    return time.perf_counter() - began


def bare(model: Path, image: Path, _: Path) -> float:
    """Nothing but the session, on as many tiles of the same size, which lie ready in memory."""
    import onnxruntime
    import rasterio

    from sightline.deploy.raster.tiling import Axis, TileSettings

    with rasterio.open(image) as raster:
        rows, columns = Axis.of(raster.height, TileSettings()), Axis.of(raster.width, TileSettings())
        shown = [
            raster.read(window=((top, top + rows.size), (left, left + columns.size)))[None]
            for top in rows.starts[:2]
            for left in columns.starts[:2]
        ]
    opened = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name, prepare = opened.get_inputs()[0].name, preprocessing()
    ready = [prepare(tile) for tile in shown]
    began = time.perf_counter()
    for number in range(len(rows) * len(columns)):
        opened.run(None, {name: ready[number % len(ready)]})
    return time.perf_counter() - began


def habitat_mapper(model: Path, image: Path, result: Path) -> float:
    """Without its filters, which are compared with nothing here."""
    from habitat_mapper.config import ModelConfig  # type: ignore[import-not-found]
    from habitat_mapper.model import ONNXModel  # type: ignore[import-not-found]

    config = ModelConfig(
        name="benchmark", revision="20260101", dependencies=[str(model)], model_filename=model.name,
        input_channels=3, activation=None, normalization="standard", mean=MEAN, std=STD, max_pixel_value=255,
    )  # fmt: skip
    mapper = ONNXModel(config)
    assert mapper.input_size is None  # which opens the session
    began = time.perf_counter()
    mapper.process(image, result, crop_size=TILE, blur_kernel_size=0, morph_kernel_size=0, quiet=True)
    return time.perf_counter() - began


def preprocessing() -> Callable[[np.ndarray], np.ndarray]:
    from sightline.data.preprocessing import Preprocessing

    return Preprocessing(mean=list(MEAN), std=list(STD)).normalized


def peak_mib() -> float:
    """The most memory that this process held; unlike that of `getrusage`, not that of who started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def main() -> None:
    who, model, image, result = sys.argv[1], *map(Path, sys.argv[2:])
    run = {
        "ours": ours,
        "ours-half": lambda *where: ours(*where, half=True),
        "bare": bare,
        "habitat-mapper": habitat_mapper,
    }[who]
    seconds = run(model, image, result)
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
