"""Videos for tests, in which each frame shows its own number."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.needs import needs

HEIGHT, WIDTH = 48, 64
_BITS = 8


def picture(number: int) -> np.ndarray:
    """A frame that says its number in black and white fields, which survive compression."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    for bit in range(_BITS):
        pixels[:, bit * 8 : bit * 8 + 8] = 255 * (number >> bit & 1)
    pixels[:8, :, 0] = 128
    return pixels


def number_in(pixels: np.ndarray) -> int:
    """The number that a frame shows."""
    fields = pixels[24, 4::8].mean(axis=1) > 127
    return int(sum(1 << bit for bit, is_set in enumerate(fields) if is_set))


def write_video(
    path: Path, count: int = 30, times: Sequence[int] | None = None, rotation: int = 0, codec: str = "libx264"
) -> Path:
    """``count`` frames at 25 a second, or shown at ``times`` in milliseconds; few are key frames."""
    try:
        import av
    except ImportError:
        needs("av", available=False)
        raise
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 12
        if codec == "libx264":
            stream.codec_context.max_b_frames = 3
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts = 40 * number if times is None else times[number]
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
