"""Numbers that were measured to train well. Plans take them from here: this is the place to tune them.

Costs are of an update: float32 on one core of a server CPU (measured), bf16 on an H100 (estimated).
"""

from dataclasses import dataclass, field
from typing import Any

_ADAMW, _SGD = "torch.optim.AdamW", "torch.optim.SGD"
_COSINE, _LINEAR = "sightline.engine.schedules.Cosine", "sightline.engine.schedules.Linear"


@dataclass(frozen=True)
class Recipe:
    """A model and how it is trained."""

    model: str
    why: str
    """It is this model, in a few words."""
    batch_size: int
    optimizer: str
    optimizer_args: dict[str, Any]
    scheduler: str
    warmup: str
    ema: float
    """Decay of the average of the weights."""
    images_seen: int
    """Images that a training goes through, over all epochs, where nobody says how long it may take."""
    cpu_us_per_pixel: float
    """Microseconds for a pixel of the model's input on one core."""
    gpu_us_per_pixel: float
    encoder: str | None = None
    stride: int = 1
    """Heights and widths are to be multiples of this."""
    bf16_on_cpu: bool = False
    """Whether a CPU that multiplies bf16 trains it that way, in `BF16_SHARE` of the time, and as well."""
    task_args: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """Further settings of the task, each with its reason."""


CLASSIFY_DOTS = Recipe(
    model="small_mlp",
    why="so few pixels need no convolution",
    batch_size=64,
    optimizer=_ADAMW,
    optimizer_args={"lr": 3e-3, "weight_decay": 0.01},
    scheduler=_COSINE,
    warmup="5%",
    ema=0.99,
    images_seen=60_000,
    cpu_us_per_pixel=0.5,
    gpu_us_per_pixel=0.1,
)
CLASSIFY_SMALL = Recipe(
    model="small_resnet",
    why="made for small images, learns them fast from scratch",
    batch_size=128,
    optimizer=_SGD,
    optimizer_args={"lr": 0.2, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4},
    scheduler=_LINEAR,
    warmup="20%",
    ema=0.99,
    images_seen=200_000,
    cpu_us_per_pixel=1.9,
    gpu_us_per_pixel=0.02,
    bf16_on_cpu=True,
    task_args={
        "label_smoothing": (0.1, "labels are never quite certain"),
        "cutmix": (1.0, "mixes images, so that it cannot learn them by heart"),
    },
)
CLASSIFY_LARGE_CPU = Recipe(
    model="resnet18",
    why="the largest that a CPU trains in reasonable time",
    batch_size=32,
    optimizer=_ADAMW,
    optimizer_args={"lr": 1e-3, "weight_decay": 0.05},
    scheduler=_COSINE,
    warmup="5%",
    ema=0.998,
    images_seen=100_000,
    cpu_us_per_pixel=2.6,
    gpu_us_per_pixel=0.01,
    bf16_on_cpu=True,
    task_args={"label_smoothing": (0.1, "labels are never quite certain")},
)
CLASSIFY_LARGE_GPU = Recipe(
    model="resnet50",
    why="accurate, and a GPU trains it fast",
    batch_size=64,
    optimizer=_ADAMW,
    optimizer_args={"lr": 1e-3, "weight_decay": 0.05},
    scheduler=_COSINE,
    warmup="5%",
    ema=0.998,
    images_seen=1_000_000,
    cpu_us_per_pixel=6.7,
    gpu_us_per_pixel=0.02,
    task_args={
        "label_smoothing": (0.1, "labels are never quite certain"),
        "mixup": (0.2, "mixes images, so that it cannot learn them by heart"),
    },
)
DETECT = Recipe(
    model="light",
    why="light and anchor-free, and exports cleanly",
    batch_size=16,
    optimizer=_ADAMW,
    optimizer_args={"lr": 2e-3, "weight_decay": 0.05},
    scheduler=_COSINE,
    warmup="5%",
    ema=0.998,
    images_seen=15_000,
    cpu_us_per_pixel=0.75,
    gpu_us_per_pixel=0.01,
    stride=32,
)
SEGMENT_CPU = Recipe(
    model="small_unet",
    why="small enough for a CPU",
    batch_size=8,
    optimizer=_ADAMW,
    optimizer_args={"lr": 2e-3, "weight_decay": 0.01},
    scheduler=_COSINE,
    warmup="5%",
    ema=0.99,
    images_seen=10_000,
    cpu_us_per_pixel=1.0,
    gpu_us_per_pixel=0.01,
    stride=32,
)
SEGMENT_GPU = Recipe(
    model="unet",
    why="the usual architecture; a GPU affords an encoder",
    batch_size=16,
    optimizer=_ADAMW,
    optimizer_args={"lr": 5e-4, "weight_decay": 0.01},
    scheduler=_COSINE,
    warmup="5%",
    ema=0.998,
    images_seen=100_000,
    cpu_us_per_pixel=9.0,
    gpu_us_per_pixel=0.02,
    encoder="resnet34",
    stride=32,
)

DOTS_SIDE = 12
"""Images with no longer side than this are dots to classify."""
SMALL_SIDE = 96
"""Images with no longer side than this keep their size to be classified."""
LARGE_SIDE = 224
"""The side that larger images get."""
FEW_IMAGES = 2_000
"""To classify; fewer do not fill a large model that begins from nothing."""

LEAST_OBJECT = 12
"""Pixels of the model's input that the side of an object needs to be found well."""
DETECT_SIDES_CPU, DETECT_SIDES_GPU = (320, 416), (416, 896)
"""The least and the largest longer side that images get for detection."""
MOSAIC = 0.5
"""Share of the images that are put together of four, for detection."""

WINDOW = 256
"""Height and width of what is cut out of large images to learn the classes of pixels from."""
LARGEST_WHOLE = 512
"""Images with a longer side than this are learned from windows."""

FEWEST_EPOCHS, MOST_EPOCHS = 8, 200
LEAST_UPDATES = 300
"""Updates that a training needs however few its images are."""
BF16_SHARE = 0.55
CLIP_NORM = 10.0
RESERVE_SECONDS, RESERVE_SHARE = 5.0, 0.05
"""Of the time that a training may take, for starting, the last validation and the report."""
