"""Rules that all kinds of tasks share: data, preprocessing, batches, durations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sightline.data.splits import TRAIN
from sightline.planning.choices import Choice
from sightline.planning.facts import DatasetFacts
from sightline.planning.machine import Machine
from sightline.planning.measured import (
    BF16_SHARE,
    CLIP_NORM,
    FEWEST_EPOCHS,
    LEAST_UPDATES,
    MOST_EPOCHS,
    RESERVE_SECONDS,
    RESERVE_SHARE,
    Recipe,
)

_MOST_OF_MEMORY = 0.4  # of what is free, that images may take up
_MOST_IN_MEMORY = 16 << 30
_MOST_WORKERS = 8
_MEASURED_IMAGES = 200  # whose bands' mean and deviation are measured
_EMA_FROM = 500  # updates
_SURELY = 3  # times as fast as need be, so that what was measured elsewhere may be that wrong
_FEW_EPOCHS = 4  # of fewer, validation comes more than once in each
_VALIDATIONS = 20  # in a training, at most about
_DIRECTIONS = re.compile(r"\b(left|right|clockwise|east|west)\b", re.IGNORECASE)
_SIGNS = re.compile(r"[\w]{1,2}|zero|one|two|three|four|five|six|seven|eight|nine")


@dataclass(frozen=True)
class Situation:
    """What a plan is for: a dataset, a machine, and the seconds that a training may take, if limited."""

    facts: DatasetFacts
    machine: Machine
    seconds: float | None = None

    def epoch_seconds(self, recipe: Recipe, pixels: int) -> float:
        """About how long one epoch takes with images of so many pixels."""
        images = len(self.facts.training) * pixels / 1e6
        if self.machine.gpu is not None:
            return images * recipe.gpu_us_per_pixel
        share = BF16_SHARE if self.uses_bf16(recipe) else 1.0
        return images * recipe.cpu_us_per_pixel * share / self.machine.cpus

    def uses_bf16(self, recipe: Recipe) -> bool:
        """Whether the model is computed in bf16."""
        return self.machine.gpu is not None or (recipe.bf16_on_cpu and self.machine.bf16_on_cpu)

    @property
    def training_seconds(self) -> float | None:
        """Of the time what is left for training itself."""
        if self.seconds is None:
            return None
        return max(1.0, self.seconds * (1 - RESERVE_SHARE) - RESERVE_SECONDS)

    def affordable(self, recipe: Recipe, pixels: int) -> bool:
        """Whether the time is enough for a few epochs with images of so many pixels."""
        if self.training_seconds is None:
            return True
        return FEWEST_EPOCHS * self.epoch_seconds(recipe, pixels) <= self.training_seconds


def storage(situation: Situation) -> Choice:
    """Where pixels come from."""
    facts, free = situation.facts, situation.machine.memory_bytes
    needed = facts.bytes_decoded
    fits = needed <= min(_MOST_OF_MEMORY * free, _MOST_IN_MEMORY)
    size = f"{needed / 1e6:,.0f} MB decoded"
    return Choice(
        "task.init_args.data.storage",
        "ram" if fits else "files",
        f"{size}, which memory holds" if fits else f"{size} would not fit into memory well",
    )


def preprocessing(
    situation: Situation, size: tuple[int, int] | None, fit: str | None, multiple: int, reason: str
) -> Iterator[Choice]:
    """What the model is given of an image: bands, size, scale."""
    facts, key = situation.facts, "task.init_args.preprocessing"
    if size is not None:
        yield Choice(f"{key}.size", list(size), f"{reason}; height, width")
        yield Choice(f"{key}.fit", fit, _FIT_REASONS[str(fit)])
    elif multiple > 1:
        yield Choice(f"{key}.multiple", multiple, f"{reason}; filled up to what the model halves")
    if facts.is_rgb:
        return  # which is the default, with ImageNet's mean and deviation
    statistics = facts.dataset.create_split_dataset(TRAIN).channel_statistics(
        _MEASURED_IMAGES,
        None if len(facts.bands) == facts.first_image.shape[2] else facts.bands,
        progress=False,
    )
    count, dtype = len(facts.bands), facts.first_image.dtype
    scale = float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0
    what = "grey images" if facts.is_grey else f"all {count} of the files; leave out what should not count"
    yield Choice(f"{key}.bands", facts.bands, what)
    yield Choice(f"{key}.scale", scale, f"the largest {dtype}" if scale > 1 else "values keep their units")
    yield Choice(f"{key}.mean", _rounded(statistics.mean), f"of {statistics.images} training images, by band")
    yield Choice(
        f"{key}.std", [max(value, 1e-3) for value in _rounded(statistics.std)], "their standard deviation"
    )


_FIT_REASONS = {
    "stretch": "all images have about these proportions",
    "letterbox": "nothing is cut off, and objects keep their proportions",
    "crop": "objects keep their proportions, and what matters is in the middle",
}


def model(recipe: Recipe) -> Iterator[Choice]:
    """The model, what it begins with, and what belongs to it."""
    key = "task.init_args.model"
    yield Choice(f"{key}.name", recipe.model, recipe.why)
    if recipe.encoder is not None:
        yield Choice(f"{key}.encoder", recipe.encoder, "any of timm; larger ones see more and take longer")
    if recipe.model not in _OWN:
        yield Choice(
            f"{key}.pretrained",
            False,
            "true begins with weights of ImageNet, which helps; they must be there",
        )
    for name, (value, reason) in recipe.task_args.items():
        yield Choice(f"task.init_args.{name}", value, reason)


def training(
    situation: Situation, recipe: Recipe, pixels: int, monitor: str, *, one_size: bool
) -> Iterator[Choice]:
    """Batches, optimizer, learning rate, durations. ``pixels`` are those of an image for the model."""
    count, machine = len(situation.facts.training), situation.machine
    batch = _batch_size(recipe.batch_size, count)
    yield Choice("loader.batch_size", batch, _batch_reason(batch, recipe, count))
    if not one_size:
        yield Choice("loader.eval_batch_size", 1, "images of different sizes do not make a batch")
    spare = machine.cpus if machine.gpu is not None else machine.cpus - 2
    workers = max(0, min(spare, _MOST_WORKERS))
    reason = "processes that read and augment images" if workers else "the CPUs have the model to compute"
    yield Choice("loader.workers", workers, reason)
    yield Choice("optimizer.class_path", recipe.optimizer, f"what {recipe.model} was measured with")
    for name, value in recipe.optimizer_args.items():
        # A smaller batch is a noisier step, which is to be smaller too (Goyal et al. 2017, arXiv:1706.02677).
        scaled = value * batch / recipe.batch_size if name == "lr" else value
        yield Choice(f"optimizer.init_args.{name}", scaled, _OPTIMIZER_REASONS[name])
    yield Choice("scheduler.class_path", recipe.scheduler, "ends small, which the last percent needs")
    yield Choice("scheduler.init_args.warmup", recipe.warmup, "the first updates of new weights are wild")
    plan = _duration(situation, recipe, pixels, max(1, count // batch))
    yield from plan.choices
    yield Choice("trainer.monitor", monitor, "what the model is chosen by, on the validation split")
    yield Choice("trainer.mode", "max", "higher is better")
    if "test" in situation.facts.counts:
        yield Choice("trainer.test_at_end", True, "how good the chosen model is on images that chose nothing")
    if plan.updates >= _EMA_FROM:
        yield Choice("trainer.ema.decay", recipe.ema, "averaged weights are a little better, at no cost")
    yield Choice("trainer.clip_norm", CLIP_NORM, "one odd batch cannot ruin the weights")
    if situation.uses_bf16(recipe):
        yield Choice("trainer.precision", "bf16", "faster here, and as good")
    yield Choice("trainer.channels_last", True, "the order in memory that convolutions like")
    if machine.gpus > 1:
        yield Choice("launcher.kind", "processes", f"there are {machine.gpus} GPUs")
        yield Choice("launcher.ranks", machine.gpus, "one process for each; batch_size is that of each")


_OWN = ("small_mlp", "small_resnet", "light", "small_unet")
"""Models that have no weights to begin with."""
_OPTIMIZER_REASONS = {
    "lr": "measured, for this batch size; `sightline train SPEC --find-lr` looks for another",
    "momentum": "the usual",
    "nesterov": "looks ahead; a little better",
    "weight_decay": "measured",
}


@dataclass(frozen=True)
class _Duration:
    choices: list[Choice]
    updates: int
    """About how many that makes."""


def _duration(situation: Situation, recipe: Recipe, pixels: int, updates_per_epoch: int) -> _Duration:
    """How long to train, and how often to validate and save."""
    epoch = situation.epoch_seconds(recipe, pixels)
    if situation.training_seconds is not None:
        return _in_time(situation, round(situation.training_seconds), epoch, updates_per_epoch)
    wanted = max(recipe.images_seen / len(situation.facts.training), LEAST_UPDATES / updates_per_epoch)
    epochs = int(np.clip(round(wanted), FEWEST_EPOCHS, MOST_EPOCHS))
    about = f"about {_spoken(epochs * epoch)} here, by what was measured elsewhere; --time sets a limit"
    every = max(1, round(epochs / _VALIDATIONS))
    choices = [Choice("trainer.max_duration", f"{epochs}ep", about), *_every(f"{every}ep")]
    return _Duration(choices, epochs * updates_per_epoch)


def _in_time(situation: Situation, seconds: int, epoch: float, updates_per_epoch: int) -> _Duration:
    epochs = seconds / max(epoch, 1e-3)
    if epochs > _SURELY * MOST_EPOCHS:
        reason = f"about {_spoken(MOST_EPOCHS * epoch)}; more epochs would learn these images by heart"
        every = f"{MOST_EPOCHS // _VALIDATIONS}ep"
        duration = Choice("trainer.max_duration", f"{MOST_EPOCHS}ep", reason)
        return _Duration([duration, *_every(every)], MOST_EPOCHS * updates_per_epoch)
    about = f"about {epochs:,.0f} epochs of {_spoken(epoch)}" if epochs >= 1 else "less than an epoch"
    whole = f"{about}; the rest of {_spoken(situation.seconds or 0)} is for the start and the report"
    updates = round(epochs * updates_per_epoch)
    # Not by time, which a validation takes up too: on a slow machine there would be nothing else.
    every = (
        f"{round(epochs / _VALIDATIONS) or 1}ep"
        if epochs >= _FEW_EPOCHS
        else f"{updates // _FEW_EPOCHS or 1}ba"
    )
    return _Duration([Choice("trainer.max_duration", f"{seconds}s", whole), *_every(every)], updates)


def _every(duration: str) -> list[Choice]:
    return [
        Choice("trainer.validate_every", duration, "often enough to see where it goes"),
        Choice("trainer.checkpoint_every", duration, "what is lost at most when it is stopped"),
    ]


def _batch_size(wanted: int, count: int) -> int:
    """At most what is wanted, and small enough for a few updates in each epoch."""
    while wanted > 1 and count // wanted < 4:
        wanted //= 2
    return wanted


def _batch_reason(batch: int, recipe: Recipe, count: int) -> str:
    if batch < recipe.batch_size:
        return f"small, as there are only {count:,} images to train on"
    return "measured; a larger one wants a higher learning rate"


def may_be_mirrored(facts: DatasetFacts) -> bool:
    """Whether a mirrored image is still of its class: not where classes are signs or directions."""
    if any(_DIRECTIONS.search(name.replace("_", " ")) for name in facts.classes):
        return False
    return not all(_SIGNS.fullmatch(name.lower()) for name in facts.classes)


def multiple_of(value: float, step: int) -> int:
    """The multiple of ``step`` nearest to ``value``, one or more of it."""
    return max(step, round(value / step) * step)


def pixels_of(size: tuple[int, int]) -> int:
    """Of an image of that height and width."""
    return size[0] * size[1]


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def _spoken(seconds: float) -> str:
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"
