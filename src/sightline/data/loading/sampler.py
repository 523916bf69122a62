"""Which items make up which batch: the same for a seed whatever the workers, and resumable."""

from collections.abc import Iterator, Sized
from typing import Any, Literal

import numpy as np
import torch.distributed
from torch.utils.data import Sampler

from sightline.data.loading.parts import tell_epoch
from sightline.data.loading.seeding import shuffled
from sightline.errors import SightlineError

Last = Literal["keep", "drop", "pad"]

_COUNTS = ("epoch", "batches", "batch_size", "items")


class Batches(Sampler[list[int]]):
    """The batches of one rank, for ``DataLoader(dataset, batch_sampler=Batches(dataset, 64))``.

    The items of an epoch are put in order (shuffled by (``seed``, epoch)) and cut into batches of
    ``batch_size`` times the number of ranks; of each, a rank takes every so-manieth item. So ranks
    together see what one rank with the larger batch would see.

    ``last`` says what becomes of a last batch that is not full:

    * "keep": it is split as it is. No item comes twice and none is left out, as an evaluation needs it,
      but a rank may have an item, even a batch, less than another;
    * "drop": it is left out, so that all ranks have equal batches; the default where ``shuffle`` is set;
    * "pad": items from the beginning of the epoch are added until all ranks have as many.

    Each pass over this is the next epoch; `set_epoch` chooses another. Either also tells ``dataset`` by its
    ``set_epoch``, if it has one: the augmentation of a `TorchDataset` depends on it.
    """

    def __init__(
        self,
        dataset: Sized,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        last: Last | None = None,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        """``rank`` of ``world_size`` are those of ``torch.distributed`` where it is running, else 0 of 1.

        Raises:
            SightlineError: a number out of range, or (with "drop") fewer items than one batch has.
        """
        running = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.rank = (torch.distributed.get_rank() if running else 0) if rank is None else rank
        self.world_size = (
            (torch.distributed.get_world_size() if running else 1) if world_size is None else world_size
        )
        if batch_size < 1 or not 0 <= self.rank < self.world_size:
            raise SightlineError(
                f"batch_size {batch_size} on rank {self.rank} of {self.world_size}: a batch has at least one "
                "item, and ranks count from 0."
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.last: Last = last or ("drop" if shuffle else "keep")
        if self.last == "drop" and len(dataset) < self._global_size:
            raise SightlineError(
                f"{len(dataset)} items do not fill one batch of {batch_size} on {self.world_size} rank(s); "
                "choose a smaller batch_size, or last='pad'."
            )
        self._epoch = self._consumed = 0

    @property
    def epoch(self) -> int:
        """The epoch of the next pass, from 0."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass the one of ``epoch``, from its first batch."""
        self._epoch, self._consumed = epoch, 0

    def __len__(self) -> int:
        """The number of batches in a whole epoch."""
        whole, rest = divmod(len(self.dataset), self._global_size)
        if self.last == "drop" or not rest:
            return whole
        return whole + (self.last == "pad" or rest > self.rank)

    def batch_items(self, index: int) -> int:
        """The number of items that batch ``index`` of an epoch, from 0, has on all ranks together.

        Raises:
            IndexError: there is no such batch on any rank.
        """
        before = index * self._global_size
        if index < 0 or before >= self._total:
            raise IndexError(f"batch {index} of {-(-self._total // self._global_size)}")
        return min(self._global_size, self._total - before)

    def __iter__(self) -> Iterator[list[int]]:
        epoch, first = self._epoch, self._consumed
        self.set_epoch(epoch + 1)
        tell_epoch(self.dataset, epoch)
        order = self._order(epoch)
        for start in range(first * self._global_size, len(order), self._global_size):
            mine = order[start : start + self._global_size][self.rank :: self.world_size]
            if len(mine):
                yield mine.tolist()

    def state_dict(self, consumed: int | None = None) -> dict[str, Any]:
        """Where the training is: ``consumed`` batches into the pass that was begun last.

        A ``DataLoader`` takes batches ahead of their use, so that only the user of the batches can say;
        `Loader` counts for itself. Without it, the state is that before the next pass.
        """
        epoch, batches = self._epoch, self._consumed
        if consumed is not None:
            epoch, batches = (epoch, 0) if consumed >= len(self) else (epoch - 1, consumed)
        return {
            "seed": self.seed,
            "epoch": epoch,
            "batches": batches,
            "batch_size": self._global_size,
            "items": len(self.dataset),
            "shuffle": self.shuffle,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the next pass go on where `state_dict` was; the number of ranks may be another.

        Raises:
            SightlineError: it is no such state, or the batches would not be those of the interrupted
                training: another batch size over all ranks, another number of items, or shuffled where
                they were not.
        """
        self._check(state)
        if state["batch_size"] != self._global_size or state["items"] != len(self.dataset):
            raise SightlineError(
                f"the training to be resumed had batches of {state['batch_size']} over all ranks from "
                f"{state['items']} items, but now there are {self._global_size} from {len(self.dataset)}; "
                "resume with the same data and batch size."
            )
        if state["shuffle"] != self.shuffle:
            raise SightlineError(
                f"the training to be resumed had shuffle={state['shuffle']}, but now it is {self.shuffle}; "
                "resume with the same."
            )
        self.seed = state["seed"]
        self._epoch, self._consumed = state["epoch"], state["batches"]

    def _check(self, state: Any) -> None:
        """Refuse what `state_dict` cannot have given."""
        known = self.state_dict()
        if not isinstance(state, dict):
            raise SightlineError(
                f"the state to resume batches from is {type(state).__name__} and no state_dict()."
            )
        missing = [key for key in known if key not in state]
        if missing:
            raise SightlineError(
                f"the state to resume batches from has no '{missing[0]}'; give a state_dict()."
            )
        for key, value in known.items():
            given = state[key]
            if type(given) is not type(value) or (key in _COUNTS and given < 0):
                wanted = "a number from 0 on" if key in _COUNTS else f"of type {type(value).__name__}"
                raise SightlineError(
                    f"the state to resume batches from has {given!r} as '{key}', which is {wanted} in a "
                    "state_dict()."
                )
        if state["batches"] * state["batch_size"] > state["items"]:
            raise SightlineError(
                f"the state to resume batches from is {state['batches']} batches of {state['batch_size']} "
                f"into an epoch of {state['items']} items; give a state_dict()."
            )

    @property
    def _global_size(self) -> int:
        return self.batch_size * self.world_size

    @property
    def _total(self) -> int:
        """The number of items of an epoch on all ranks together."""
        count = len(self.dataset)
        if self.last == "drop":
            return count - count % self._global_size
        if self.last == "pad":
            return -(-count // self.world_size) * self.world_size
        return count

    def _order(self, epoch: int) -> np.ndarray:
        count = len(self.dataset)
        order = shuffled(count, self.seed, epoch) if self.shuffle else np.arange(count)
        return np.resize(order, self._total)  # cut short, or begun again
