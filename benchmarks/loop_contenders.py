"""The loops that `loop.py` measures: ``loop_contenders.py NAME STEPS`` prints JSON, microseconds per step."""

# The peers live in environments of their own.
# pyright: reportMissingImports=false

import json
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

BLOCK = 100  # steps that are timed together


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


class InMemory:
    """Batches that are there already, so that no loader is measured."""

    def __init__(self, steps: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self._batches = [
            (torch.randn(16, 784, generator=generator), torch.randint(0, 10, (16,), generator=generator))
            for _ in range(32)
        ]
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Any:
        for step in range(self._steps):
            yield self._batches[step % 32]

    # What our engine wants of a loader besides.
    def set_epoch(self, epoch: int) -> None:
        del epoch

    def state_dict(self) -> dict[str, Any]:
        return {}


class Items(Dataset):
    """The same as a map-style dataset whose items are whole batches, for loops that want a DataLoader."""

    def __init__(self, steps: int) -> None:
        self._batches, self._steps = list(InMemory(32)), steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self._batches[index % 32]


class Clock:
    """Times blocks of steps of a loop, and after each one a block of bare steps in the same process.

    So whatever else the machine does meets both; the difference of two processes would be lost in it.
    """

    def __init__(self) -> None:
        self._bare, self._seen, self._began = bare_steps(), 0, 0.0
        self._steps_s: list[float] = []
        self._bare_s: list[float] = []

    def tick(self) -> None:
        """To be called after each step."""
        self._seen += 1
        if self._seen % BLOCK:
            return
        ended = time.perf_counter()
        for _ in islice(self._bare, BLOCK):
            pass
        if self._seen > BLOCK:  # the first block warms up
            self._steps_s.append(ended - self._began)
            self._bare_s.append(time.perf_counter() - ended)
        self._began = time.perf_counter()

    def result(self) -> dict[str, float]:
        """Medians, in microseconds per step."""
        added = [one - other for one, other in zip(self._steps_s, self._bare_s, strict=True)]
        return {
            "added": statistics.median(added) / BLOCK * 1e6,
            "bare": statistics.median(self._bare_s) / BLOCK * 1e6,
        }


def bare_steps() -> Iterator[None]:
    """The loop that one writes by hand, without an end."""
    model, batches = network(), list(InMemory(32))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in count():
        images, labels = batches[step % 32]
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()
        yield


def ours(steps: int, clock: Clock) -> None:
    from sightline.config import Config
    from sightline.engine import Trainer
    from sightline.engine.spec import TrainerConfig
    from sightline.runs import RunLogger
    from sightline.tasks import Task

    class Settings(Config):
        """None."""

    class Mlp(Task[Settings]):
        def compute_loss(self, outputs: Tensor, batch: Any) -> Tensor:
            return F.cross_entropy(outputs, batch[1])

    class Ticking(InMemory):
        # When the next batch is asked for, the step is over. A callback would add what telling it takes.
        def __iter__(self) -> Any:
            for batch in super().__iter__():
                yield batch
                clock.tick()

    model = network()
    config = TrainerConfig(max_duration=f"{steps}ba", log_every="1ba", device="cpu")  # type: ignore[arg-type]
    with RunLogger("bench") as logger:
        Trainer(
            Mlp(),
            model,
            torch.optim.AdamW(model.parameters(), lr=1e-3),
            Ticking(steps),
            config,
            logger=logger,
        ).fit()


def lightning(steps: int, clock: Clock) -> None:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import CSVLogger

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()

        def training_step(self, batch: Any, index: int) -> Tensor:
            del index
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=1e-3)

    class Tick(Callback):
        def on_train_batch_end(self, *_arguments: Any, **_options: Any) -> None:
            clock.tick()

    Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        logger=CSVLogger("."),
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[Tick()],
    ).fit(Module(), DataLoader(Items(steps), batch_size=None))


def fabric(steps: int, clock: Clock) -> None:
    from lightning.fabric import Fabric
    from lightning.fabric.loggers import CSVLogger

    tool = Fabric(accelerator="cpu", loggers=CSVLogger("."))
    model = network()
    model, optimizer = tool.setup(model, torch.optim.AdamW(model.parameters(), lr=1e-3))
    for step, (images, labels) in enumerate(InMemory(steps)):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), labels)
        tool.backward(loss)
        optimizer.step()
        tool.log("loss", loss.item(), step)
        clock.tick()


def accelerate(steps: int, clock: Clock) -> None:
    from accelerate import Accelerator

    tool = Accelerator(cpu=True)
    model = network()
    model, optimizer = tool.prepare(model, torch.optim.AdamW(model.parameters(), lr=1e-3))
    for step, (images, labels) in enumerate(InMemory(steps)):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), labels)
        tool.backward(loss)
        optimizer.step()
        tool.log({"loss": loss.item()}, step=step)
        clock.tick()


def mlfab(steps: int, clock: Clock) -> None:
    import os
    from dataclasses import dataclass
    from pathlib import Path

    for name in ("RUN_DIR", "DATA_DIR", "MODEL_DIR"):
        os.environ[name] = str(Path(name.lower()).absolute())
    os.environ["MLFABRC_PATH"] = str(Path("mlfab.yml").absolute())
    import mlfab as peer

    class Fed(InMemory):
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_error: Any) -> None:
            return None

    @dataclass(kw_only=True)
    class Settings(peer.Config):
        pass

    class Mlp(peer.Task[Settings]):
        def __init__(self, config: Settings) -> None:
            super().__init__(config)
            self.model = network()
            self.device_manager.get_prefetcher = lambda loader: loader

        def set_loggers(self) -> None:
            self.add_logger(peer.JsonLogger(log_stream=Path("metrics.json").open("w")))  # noqa: SIM115

        def get_dataset(self, phase: Any) -> Any:
            del phase

        def get_dataloader(self, dataset: Any, phase: Any) -> Any:
            del dataset, phase
            return Fed(10 * steps)

        def build_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
            return torch.optim.AdamW(model.parameters(), lr=1e-3)

        def get_loss(self, batch: Any, state: Any) -> Tensor:
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            self.log_step(batch, loss, state)
            return loss

        def on_step_end(self, *arguments: Any, **options: Any) -> None:
            super().on_step_end(*arguments, **options)
            clock.tick()

    peer_settings = Settings(
        batch_size=16,
        learning_rate=1e-3,
        betas=(0.9, 0.999),
        weight_decay=1e-2,
        warmup_steps=1,
        max_steps=steps,
        disable_validation=True,
    )
    Mlp.launch(peer_settings, launcher=peer.SingleProcessLauncher(), use_cli=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    watch = Clock()
    loops = {one.__name__: one for one in (ours, lightning, fabric, accelerate, mlfab)}
    loops[sys.argv[1]](int(sys.argv[2]), watch)
    print("\n" + json.dumps(watch.result()))
