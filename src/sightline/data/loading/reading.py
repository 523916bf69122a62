"""Items of any map-style dataset, read and put into a batch where that is done: here or in a worker."""

import pickle
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset, TensorDataset, default_collate, get_worker_info
from torch.utils.data import Dataset as TorchMapDataset

from sightline.data.loading.collate import collate as collate_targets
from sightline.data.loading.dataset import TorchDataset
from sightline.data.loading.nested import each_tensor
from sightline.data.loading.parts import file_of, leaves, tell_epoch
from sightline.data.loading.seeding import generators_kept, item_seeds, seed_generators
from sightline.data.loading.wording import described, refuse_full
from sightline.errors import SightlineError

Collate = Callable[[Any], Any]


class Plan(NamedTuple):
    """What to read for a batch, and what its randomness follows from."""

    seed: int
    epoch: int
    indices: list[int]


@dataclass(frozen=True)
class ItemError:
    """An item that could not be read: its index in the dataset, its file where that is known, and why."""

    index: int
    file: str | None
    message: str


@dataclass
class Read:
    """A batch as it was read; None where nothing of it is left.

    ``errors`` are the items left out of it; ``stop`` is what ends the training instead.
    """

    batch: Any = None
    errors: list[ItemError] = field(default_factory=list)
    stop: SightlineError | None = None

    def opened(self) -> "Read":
        """This; see `Sent`."""
        return self

    def pin_memory(self) -> "Read":
        """Ready to be copied to a GPU, for ``DataLoader``."""
        return Read(each_tensor(self.batch, torch.Tensor.pin_memory), self.errors, self.stop)


class Sent:
    """A `Read` on its way from a worker, its tensors in shared memory.

    ``DataLoader`` would pickle it in a thread, where an error (no room in /dev/shm, a batch that cannot be
    pickled) only leaves it waiting for ever.
    """

    def __init__(self, read: Read) -> None:
        self._content = bytes(ForkingPickler.dumps(read))

    def opened(self) -> Read:
        """What was sent."""
        return pickle.loads(self._content)  # noqa: S301 (of our own worker)

    def pin_memory(self) -> Read:
        """See `Read.pin_memory`."""
        return self.opened().pin_memory()


class Reader(TorchMapDataset["Read | Sent"]):
    """``dataset`` by batches, as a `Plan` says; what goes wrong is part of what it gives, not raised."""

    def __init__(self, dataset: Any, collate: Collate | None, *, seed_items: bool, max_errors: int) -> None:
        """``collate`` None: that of the dataset, see `collate_of`."""
        self._dataset = dataset
        self._collate = collate or collate_of(dataset)
        self._max_errors = max_errors
        self._epoch: int | None = None
        # Tensors draw nothing, and a TorchDataset seeds its items by itself.
        self._seeded = seed_items and not all(
            type(leaf) is TensorDataset or isinstance(leaf, TorchDataset) for leaf in leaves(dataset)
        )
        # Taken out at once, which is what stacking the items would come to.
        stacked = type(dataset) is TensorDataset and self._collate is default_collate
        self._tensors = dataset.tensors if stacked else None
        self._at_once = _at_once(dataset)

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("a Reader gives batches only")

    def __getitems__(self, plan: Plan) -> Read | Sent:
        """The batch of ``plan``."""
        try:
            read = self._read(plan)
        except SightlineError as error:
            read = Read(stop=error)
        if get_worker_info() is None:
            return read
        if read.stop is not None:  # the sentence alone: not every error survives being sent
            return Sent(Read(stop=SightlineError(str(read.stop))))
        try:
            return Sent(read)
        except Exception as error:
            stop = refuse_full(error) or SightlineError(
                f"{self._some(plan)} cannot be sent by a worker: {described(error)}; change what they hold, "
                "or read with workers=0."
            )
            return Sent(Read(stop=stop))

    def _read(self, plan: Plan) -> Read:
        if plan.epoch != self._epoch:
            self._epoch = plan.epoch
            tell_epoch(self._dataset, plan.epoch)
        if self._tensors is not None:
            return Read([tensor[plan.indices] for tensor in self._tensors])
        with generators_kept() if self._seeded else nullcontext():
            items, errors = self._items(plan)
            return Read(self._collated(items, plan) if len(items) else None, errors)

    def _items(self, plan: Plan) -> tuple[Sequence[Any], list[ItemError]]:
        """The items that can be read, and those that cannot; of the latter at most one too many."""
        seeds = item_seeds(plan.seed, plan.epoch, np.asarray(plan.indices)).tolist() if self._seeded else []
        together: Exception | None = None
        if self._at_once is not None:
            try:
                if seeds:
                    seed_generators(seeds[0])
                return self._at_once(plan.indices), []
            except Exception as error:
                self._refuse(error)
                together = error  # one by one it will be seen which item it is
        items: list[Any] = []
        errors: list[ItemError] = []
        for place, index in enumerate(plan.indices):
            try:
                if seeds:
                    seed_generators(seeds[place])
                items.append(self._dataset[index])
            except Exception as error:
                self._refuse(error)
                errors.append(self._item_error(index, error))
                if not self._max_errors:
                    raise SightlineError(errors[0].message) from error
                if len(errors) > self._max_errors:
                    break
        if together is not None and not errors:
            if isinstance(together, SightlineError):
                raise together
            sentence = f"{self._some(plan)} cannot be read at once: {described(together)}."
            raise SightlineError(sentence) from together
        return items, errors

    def _collated(self, items: Sequence[Any], plan: Plan) -> Any:
        try:
            return self._collate(items)
        except SightlineError:
            raise
        except Exception as error:
            raise refuse_full(error) or SightlineError(
                f"{self._some(plan)} cannot be put into one batch: {described(error)}; give items that are "
                "alike, or another collate."
            ) from error

    def _refuse(self, error: Exception) -> None:
        """Raise what is no fault of an item: that memory is full, or what is to be the first error."""
        full = refuse_full(error)
        if full is not None:
            raise full from error
        if isinstance(error, SightlineError) and not self._max_errors:
            raise error

    def _item_error(self, index: int, error: Exception) -> ItemError:
        file = file_of(self._dataset, index) or getattr(error, "filename", None)
        file = None if file is None else str(file)
        if isinstance(error, SightlineError):
            return ItemError(index, file, str(error))
        named = f" ({file})" if file and file not in str(error) else ""
        what = f"item {index} of {type(self._dataset).__name__}{named}"
        return ItemError(index, file, f"{what} cannot be read: {described(error)}.")

    def _some(self, plan: Plan) -> str:
        shown = ", ".join(map(str, plan.indices[:3]))
        more = ", ..." if len(plan.indices) > 3 else ""
        return f"items {shown}{more} of {type(self._dataset).__name__}"


def collate_of(dataset: Any) -> Collate:
    """What puts items of a dataset into a batch: our `collate`, its own attribute ``collate``, or torch's."""
    below = list(leaves(dataset))
    if below and all(isinstance(leaf, TorchDataset) for leaf in below):
        return collate_targets
    own = (getattr(part, "collate", None) for part in (dataset, *below[:1]))
    return next((collate for collate in own if callable(collate)), default_collate)


def _at_once(dataset: Any) -> Callable[[list[int]], Sequence[Any]] | None:
    """What reads the items of a batch at once, where that is more than one after the other."""
    below = dataset
    while type(below) is Subset:  # it offers to, whether or not what is below can
        below = below.dataset
    if type(below) is ConcatDataset or not callable(getattr(below, "__getitems__", None)):
        return None
    return dataset.__getitems__
