"""The spec: an experiment as YAML, or the same in Python."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sightline.config import Component, Config
from sightline.engine.duration import Duration

Count = Annotated[int, Field(ge=1)]


class DataConfig(Config):
    """Datasets by split: map-style torch datasets, as `sightline.data.loading.TorchDataset` makes them."""

    train: Component | None = None
    """What is trained on; by default what the task's ``build_dataset`` gives."""
    validation: Component | None = None
    """What checkpoints are chosen by."""
    test: Component | None = None
    """What ``eval`` measures at the end."""


class LoaderConfig(Config):
    """How batches are made; see `sightline.data.loading.Loader`."""

    batch_size: Count = 32
    """Items in a batch of one rank."""
    eval_batch_size: Count | None = None
    """Items in a batch of validation, test and prediction; by default ``batch_size``."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read data, for each rank; 0: the training's own."""
    shuffle: bool = True
    """Whether training has its items in a new order in each epoch."""
    last: Literal["drop", "pad", "keep"] = "drop"
    """What becomes of an epoch's last batch when it is not full; ``keep`` only on one rank."""
    max_errors: Annotated[int, Field(ge=0)] = 0
    """Items that may fail to be read, and are left out, before training stops."""
    normalize: Component | None = None
    """Called with the images where the model is, as `sightline.data.loading.Normalize`."""


class EmaConfig(Config):
    """A moving average of the weights, which validation and the model that is kept then use."""

    decay: Annotated[float, Field(gt=0, lt=1)] = 0.999
    """Share of the average that an update keeps; lower at first: ``(1 + step) / (10 + step)``."""
    every: Count = 1
    """Updates of the weights for one of the average."""


class TrainerConfig(Config):
    """The training loop."""

    max_duration: Duration = Duration.parse("1ep")
    """When training ends."""
    validate_every: Duration | None = Duration.parse("1ep")
    """How often the whole validation set is gone through; also at the end, unless this is null."""
    checkpoint_every: Duration | None = Duration.parse("1ep")
    """How often the state is saved to resume from; also at the end, unless this is null."""
    log_every: Duration = Duration.parse("10ba")
    """How often loss, learning rate and speed are logged."""
    keep_last: Count = 1
    """Newest checkpoints to keep."""
    keep_best: Annotated[int, Field(ge=0)] = 1
    """Best checkpoints to keep, by ``monitor``."""
    monitor: str = "validation/loss"
    """The number that says which checkpoint is best."""
    mode: Literal["min", "max"] = "min"
    """Whether ``monitor`` is better when lower or higher."""
    test_at_end: bool = False
    """Whether the best weights are measured on the test dataset, and that logged, when the training ends."""
    accumulate: Count = 1
    """Batches whose gradients make one update together."""
    micro_batches: Count | Literal["auto"] = 1
    """Parts that a batch is cut into to need less memory; auto: doubled whenever memory runs out."""
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    """The largest norm that the gradient may have."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of the computation; weights stay fp32."""
    channels_last: bool = False
    """Whether images and weights are channels last in memory, which convolutions on GPUs like."""
    compile: bool = False
    """Whether the model goes through torch.compile."""
    ema: EmaConfig | None = None
    """A moving average of the weights."""
    freeze: list[str] = []
    """Parameters that are not trained, as patterns of their names such as ``backbone.*``."""
    layer_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Factor of the learning rate from each layer to the one before it."""
    nan_policy: Literal["stop", "skip", "rollback"] = "stop"
    """On a loss that is not finite: fail; leave the update out; go back to the last checkpoint."""
    overfit_batches: Count | None = None
    """Train on the first so many batches of the first epoch, again and again: a model must manage that."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda`` or ``cuda:0``."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """How several ranks share the model: each has all of it, or a part."""
    deterministic: bool = False
    """Whether only deterministic GPU algorithms are used; slower. On a CPU they always are."""


class LauncherConfig(Config):
    """Where the training's processes come from."""

    kind: Literal["single", "processes", "torchrun", "slurm"] = "single"
    """``single``: this process; ``processes``: started by it; ``torchrun``: by that; ``slurm``: as a job."""
    ranks: Count = 1
    """Processes on each machine."""
    nodes: Count = 1
    """Machines (torchrun, slurm)."""
    slurm: dict[str, str | int] = {}
    """Options of sbatch by their long names, such as ``partition: gpu`` and ``time: 02:00:00``."""
    torchrun: dict[str, str | int] = {}
    """Options of torchrun by their long names, such as ``rdzv-endpoint: node1:29500``."""

    @model_validator(mode="after")
    def _alone(self) -> "LauncherConfig":
        if self.kind == "single" and (self.ranks > 1 or self.nodes > 1):
            raise ValueError("kind 'single' has one rank; choose processes, torchrun or slurm for more")
        if self.kind == "processes" and self.nodes > 1:
            raise ValueError("kind 'processes' has one node; choose torchrun or slurm for more")
        for kind in ("slurm", "torchrun"):
            if getattr(self, kind) and self.kind != kind:
                raise ValueError(f"options for {kind} are not used by kind '{self.kind}'")
        return self


class Spec(Config):
    """An experiment: everything that decides what a training does."""

    name: str
    """Of the run."""
    seed: Annotated[int, Field(ge=0)] = 0
    """All randomness follows from it."""
    task: Component
    """What is learned: a `sightline.tasks.Task`."""
    model: Component | None = None
    """A ``torch.nn.Module``, for tasks that do not build their own."""
    data: DataConfig = DataConfig()
    """Datasets by split."""
    loader: LoaderConfig | Component = LoaderConfig()
    """How batches are made, or a loader of one's own."""
    optimizer: Component = Component(class_path="torch.optim.AdamW")
    """A ``torch.optim.Optimizer``; its ``params`` are given by the engine."""
    scheduler: Component | None = None
    """A `sightline.engine.schedules.Schedule`, or one of ``torch.optim.lr_scheduler``, stepped per update."""
    metrics: dict[str, Component] = {}
    """What predictions are judged by: torchmetrics, or what has their update, compute and reset."""
    trainer: TrainerConfig = TrainerConfig()
    """The training loop."""
    callbacks: list[Component] = []
    """Called in this order; see `sightline.engine.callbacks`."""
    loggers: list[Component] = []
    """Where else metrics go; see `sightline.runs.sinks`. The run directory has them always."""
    launcher: LauncherConfig = LauncherConfig()
    """Where the training's processes come from."""
