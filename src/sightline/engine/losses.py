"""The losses since they were last logged, and whether one of them was not finite; no wait for a GPU."""

import math
from typing import Any

import torch
from torch import Tensor

from sightline.engine.ranks import Ranks

_LOOK_EVERY = 10  # updates between two looks at a GPU's flag


class LossWatch:
    """Sums losses where they are. On a GPU a bad one is seen some updates later, when the news has come."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._on_cpu = ranks.device.type == "cpu"
        self._is_known = self._on_cpu and ranks.size == 1  # a loss is a number as soon as it is computed
        self._sums: dict[str, Any] = {}
        self._updates = 0
        self._known_bad = False
        self._bad: Tensor = torch.zeros((), dtype=torch.bool, device=ranks.device)
        self._news: tuple[Tensor, Any] | None = None
        self._calls = 0

    def add(self, loss: Tensor, named: dict[str, Tensor]) -> None:
        """Take in the loss of an update and its named parts."""
        self._updates += 1
        values: dict[str, Any]
        if self._is_known:
            total = loss.item()
            values = {"loss": total}
            if named:
                values |= {name: value.item() for name, value in named.items()}
            self._known_bad = self._known_bad or not math.isfinite(total)
        else:
            values = {"loss": loss, **named}
            self._bad |= ~torch.isfinite(loss)
        if self._sums:
            for name, value in values.items():
                self._sums[name] = self._sums[name] + value if name in self._sums else value
        else:
            self._sums = values

    def take(self) -> dict[str, Tensor | float]:
        """The means since the last call, over all ranks, left on a GPU; then begin anew."""
        sums, updates = self._sums, self._updates
        self._sums, self._updates = {}, 0
        if updates == 0:
            return {}
        if self._is_known:
            return {name: value / updates for name, value in sums.items()}
        if updates == 1 and self._ranks.size == 1:
            return sums
        means = self._ranks.sum(torch.stack([value.float() for value in sums.values()]))
        means /= updates * self._ranks.size
        return dict(zip(sums, means.tolist() if self._on_cpu else means, strict=True))

    def is_bad(self) -> bool:
        """Whether a loss is known not to have been finite, since the last time it was said."""
        if self._ranks.size > 1:
            return self._is_bad_on_a_rank()
        if self._is_known:
            bad, self._known_bad = self._known_bad, False
            return bad
        self._calls += 1
        if self._news is None:
            if self._calls % _LOOK_EVERY == 0:
                self._news = self._begin_to_look()
            return False
        flag, event = self._news
        if not event.query():
            return False
        self._news = None
        return self._said(bool(flag))

    def is_bad_for_sure(self) -> bool:
        """The same without delay, waiting for a GPU: for moments that wait for it anyway."""
        if self._is_known:
            return self.is_bad()
        self._news = None
        return self._said(self._ranks.any(bool(self._bad)))

    def _is_bad_on_a_rank(self) -> bool:
        """Ranks have to do the same, so they agree at the same updates, on what they knew some before."""
        self._calls += 1
        if self._calls % _LOOK_EVERY:
            return False
        bad, self._news = self._news, self._begin_to_look()
        if bad is None:
            return False
        flag, event = bad
        if event is not None:
            event.synchronize()
        return self._said(self._ranks.any(bool(flag)))

    def _begin_to_look(self) -> tuple[Tensor, Any]:
        if self._on_cpu:
            return self._bad.clone(), None
        flag = torch.empty((), dtype=torch.bool, pin_memory=True).copy_(self._bad, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return flag, event

    def _said(self, bad: bool) -> bool:
        if bad:
            self._bad.zero_()
            self._news = None
        return bad

    def state_dict(self) -> dict[str, Any]:
        """The sums."""
        return {"sums": dict(self._sums), "updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        device = self._ranks.device
        self._sums = {
            name: float(value) if self._is_known else torch.as_tensor(value, device=device)
            for name, value in state["sums"].items()
        }
        self._updates = state["updates"]
