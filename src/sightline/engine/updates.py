"""One update of the weights: backward through its batches, then a step of the optimizer."""

import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from sightline.engine.batches import parts_of
from sightline.engine.ranks import Ranks, own_part
from sightline.engine.spec import TrainerConfig
from sightline.errors import SightlineError
from sightline.tasks import Task
from sightline.tasks.task import total_loss

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class NotFiniteError(SightlineError):
    """The loss or the gradient became NaN or infinite."""


class Updates:
    """Makes updates as `TrainerConfig` says. Nothing in here waits for a GPU.

    Several batches (``accumulate``), parts of batches (``micro_batches``) and ranks give the gradient of
    one large batch: each counts by `Task.loss_weight`, whatever its size.
    """

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        config: TrainerConfig,
        ranks: Ranks,
        *,
        even: bool,
    ) -> None:
        """``even``: whether all batches of all ranks have the same number of items."""
        self._task, self._model, self._optimizer = task, model, optimizer
        self._config, self._ranks = config, ranks
        self._auto = config.micro_batches == "auto"
        self.micro_batches = 1 if config.micro_batches == "auto" else config.micro_batches
        if self._auto and ranks.size > 1:
            raise SightlineError(
                "trainer.micro_batches: 'auto' works on one rank only, as the others would wait for the one "
                "that is out of memory; give a number."
            )
        # Plain means over equal parts need no weights, unless the task weighs by something else.
        weighs = type(task).loss_weight is not Task.loss_weight or not even
        self._weighted = config.accumulate > 1 or self.micro_batches > 1 or (weighs and ranks.size > 1)
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self._zeroes_as_it_likes = type(optimizer).zero_grad is not torch.optim.Optimizer.zero_grad
        self._half = _HALF.get(config.precision)
        self._scales = config.precision == "fp16"
        self.scaler = torch.amp.GradScaler(ranks.device.type, enabled=self._scales)
        self._skips = config.nan_policy == "skip"
        if self._skips and ranks.device.type == "cuda" and not self._scales:
            self._needs_fused()

    def autocast(self) -> Any:
        """The context that computes in the wanted precision."""
        if self._half is None:
            return nullcontext()
        return torch.autocast(self._ranks.device.type, self._half)

    def run(self, batches: list[Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Update the weights once from ``batches``; return the loss and its named parts, detached.

        Raises:
            SightlineError: there is not enough memory.
        """
        # What is left out must not stay in the statistics of BatchNorm either.
        buffers = [(buffer, buffer.clone()) for buffer in self._model.buffers()] if self._skips else ()
        while True:
            try:
                loss, named = self._run(batches)
                break
            except torch.OutOfMemoryError as error:
                # Leaving the handler first lets go of the frames that hold the tensors.
                message = str(error).splitlines()[0]
            self._drop_gradients()
            self._take_smaller_parts(batches, message)
        for buffer, before in buffers:
            buffer.copy_(torch.where(torch.isfinite(loss), buffer, before))
        return loss, named

    def weights_are_finite(self) -> bool:
        """Whether what this rank trains is finite. Waits for a GPU."""
        weights = [own_part(parameter.detach()) for parameter in self._parameters]
        held = [part for part in weights if part.numel()]  # a rank may have no part of a small one
        return math.isfinite(nn.utils.get_total_norm(held, math.inf).item())

    def _run(self, batches: list[Any]) -> tuple[Tensor, dict[str, Tensor]]:
        if not self._weighted:
            loss, named = self._forward(batches[0])
            self.scaler.scale(loss).backward() if self._scales else loss.backward()
            self._step()
            return loss.detach(), named
        parts = [part for batch in batches for part in parts_of(batch, self.micro_batches)]
        whole: Tensor | float = 0.0
        weight: Tensor | float = 0.0
        sums: dict[str, Tensor] = {}
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            with nullcontext() if last else self._ranks.gradients_kept_apart(self._model):
                loss, named = self._forward(part)
                share = self._task.loss_weight(part)
                self.scaler.scale(loss * share).backward()
            whole, weight = whole + loss.detach() * share, weight + share
            for name, value in named.items():
                sums[name] = sums[name] + value * share if name in sums else value * share
        assert isinstance(whole, Tensor)
        weight = _on_device(weight, whole.device)
        total = self._ranks.sum(weight.clone())
        self._step(factor=self._ranks.size / total.clamp(min=1e-12))
        weight = weight.clamp(min=1e-12)
        return whole / weight, {name: value / weight for name, value in sums.items()}

    def _forward(self, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        if self._half is None:  # a context that does nothing takes its time all the same
            loss = self._loss(batch)
        else:
            with self.autocast():
                loss = self._loss(batch)
        if isinstance(loss, Tensor):
            return loss, {}
        return total_loss(loss), {name: value.detach() for name, value in loss.items()}

    def _loss(self, batch: Any) -> Tensor | Mapping[str, Tensor]:
        return self._task.compute_loss(self._task.forward(self._model, batch), batch)

    def _step(self, factor: Tensor | None = None) -> None:
        optimizer, scaler = self._optimizer, self.scaler
        if self._scales:
            scaler.unscale_(optimizer)
        gradients = None
        if factor is not None:
            gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
            torch._foreach_mul_(gradients, factor)  # pyright: ignore[reportPrivateImportUsage]
        norm = None
        if self._config.clip_norm is not None:
            norm = nn.utils.clip_grad_norm_(self._parameters, self._config.clip_norm)
        if self._skips and not self._scales and not self._finite(norm):
            self._drop_gradients()
            return
        if self._scales:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
        self._drop_gradients()

    def _drop_gradients(self) -> None:
        if self._zeroes_as_it_likes:
            self._optimizer.zero_grad(set_to_none=True)
            return
        # What torch's own does, without the 20 microseconds of its entry in a profile.
        for group in self._optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def _finite(self, norm: Tensor | None) -> bool:
        """Whether the gradient is finite; on a GPU the fused optimizer is told, and nothing is waited for."""
        if norm is None:
            gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
            norm = nn.utils.get_total_norm(gradients)
        if norm.device.type == "cpu":
            return math.isfinite(norm.item())
        self._optimizer.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]
        self._optimizer.grad_scale = None  # type: ignore[attr-defined]
        return True

    def _take_smaller_parts(self, batches: list[Any], message: str) -> None:
        most = max(len(parts_of(batch, 1 << 30)) for batch in batches)
        if not self._auto:
            raise SightlineError(
                f"out of memory with batches in {self.micro_batches} part(s): set trainer.micro_batches to "
                f"auto or a larger number, or loader.batch_size to a smaller one ({message})."
            )
        if self.micro_batches >= most:
            raise SightlineError(
                f"out of memory with a single item ({message}); use smaller images or model."
            )
        self.micro_batches *= 2
        self._weighted = True
        if self._ranks.device.type == "cuda":
            torch.cuda.empty_cache()

    def _needs_fused(self) -> None:
        if not all(group.get("fused") for group in self._optimizer.param_groups):
            raise SightlineError(
                "trainer.nan_policy: 'skip' needs an optimizer that can leave an update out on the GPU: "
                "set optimizer.init_args.fused to true, or use stop or rollback."
            )

    def state_dict(self) -> dict[str, Any]:
        """The loss scale and the parts that batches are cut into."""
        return {"scaler": self.scaler.state_dict(), "micro_batches": self.micro_batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave; a number of parts in the spec comes first."""
        if state["scaler"] and self._scales:
            self.scaler.load_state_dict(state["scaler"])
        if self._auto:
            self.micro_batches = state["micro_batches"]
            self._weighted = self._weighted or self.micro_batches > 1


def _on_device(number: Tensor | float, device: torch.device) -> Tensor:
    """As float32 there; a number is filled in, as copying it would wait for a GPU."""
    if isinstance(number, Tensor):
        return number.to(device, torch.float32)
    return torch.full((), number, dtype=torch.float32, device=device)
