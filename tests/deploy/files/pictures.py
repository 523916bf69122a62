"""Pictures and films of a bright square that moves over a dark ground."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from tests.needs import needs

HEIGHT, WIDTH, SIDE = 48, 64, 8


def square(left: int, top: int = 16, colour: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray:
    """A frame with a bright square of 8 x 8 pixels."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[top : top + SIDE, left : left + SIDE] = colour
    return pixels


def write_squares(folder: Path, count: int) -> list[Path]:
    """Pictures of a square, each further to the right by a cell."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"{number:03}.png"
        Image.fromarray(square(number % 8 * SIDE)).save(path)
        paths.append(path)
    return paths


def write_film(path: Path, count: int) -> Path:
    """The same as a film of 10 frames a second, without loss."""
    try:
        import av
    except ImportError:
        needs("av", available=False)
        raise
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264rgb" if "libx264rgb" in av.codecs_available else "libx264", rate=10
        )
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "rgb24" if stream.codec_context.name == "libx264rgb" else "yuv444p"
        stream.options = {"qp": "0"}
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(square(number % 8 * SIDE), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
