"""Batches on the device, ready for the network."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from sightline.data.dataset import Dataset
from sightline.data.loading.nested import each_tensor, in_first
from sightline.data.loading.reading import Collate, ItemError, Plan, Read, Reader
from sightline.data.loading.sampler import Batches, Last
from sightline.data.loading.workers import batches_of_workers, begin_worker
from sightline.errors import SightlineError

logger = logging.getLogger("sightline.data")

_NAMED = 3  # items that an error's sentence names


class Loader(Iterable[Any]):
    """Batches of a map-style dataset on the device; each pass over it is the next epoch.

    ``dataset`` is a `TorchDataset`, whose batches are ``(images, targets)``, or any other that has
    ``__len__`` and ``__getitem__`` (or ``__getitems__``, for the items of a batch at once), whose batches are
    what ``collate`` makes of its items.

    Images travel as uint8 and are normalised where the network is. On a GPU the next batch is copied from
    pinned memory while the present one is computed with; on a CPU nothing is copied.

    The order and the augmentation of an epoch depend on the seeds alone, and `state_dict` holds where in
    it the training is: resumed, the remaining batches are those of the uninterrupted training, bit by bit.
    For datasets other than `TorchDataset` and tensors, the global generators of Python, NumPy and torch
    (CPU) are seeded by (``seed``, epoch, index) before each item, and put back afterwards; where
    ``__getitems__`` reads a batch at once, by its first index. Generators of the dataset's own are not.

    ``errors`` lists the items that were left out, as `ItemError`, each once; see ``max_errors``.
    """

    errors: list[ItemError]

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        last: Last | None = None,
        workers: int = 0,
        device: torch.device | str = "cpu",
        normalize: Callable[[torch.Tensor], torch.Tensor] | None = None,
        channels_last: bool | None = None,
        collate: Collate | None = None,
        seed_items: bool = True,
        max_errors: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        """``shuffle``, ``seed``, ``last``, ``rank`` and ``world_size`` are those of `Batches`.

        Args:
            dataset: what to load.
            batch_size: items of a batch, on each rank.
            workers: processes that read items; they are kept from epoch to epoch. 0: this process does.
            device: where batches are to be: the tensors in tuples, lists, mappings and dataclasses.
            normalize: called there with the images, as `Normalize`; a module is moved there. Images are the
                tensors (B, C, height, width), uint8 or floating, of the batch's first element.
            channels_last: the memory format of the images: True, False, or None for as they come.
            collate: makes a batch of a list of items. Default: `collate` for a `TorchDataset`, else the
                dataset's attribute ``collate``, else torch's ``default_collate``.
            seed_items: False leaves the generators alone, which saves 8 microseconds an item, and then the
                augmentation is another with another number of workers.
            max_errors: so many items of this rank that raise an error when they are read may be left out
                of their batches, with a warning each; one more ends it. A batch of which nothing is left
                is passed over.

        Raises:
            SightlineError: see `Batches`; the dataset is not map-style, or a number is negative.
        """
        _refuse_other_than_map_style(dataset)
        for name, value in (("workers", workers), ("max_errors", max_errors)):
            if not isinstance(value, int) or value < 0:
                raise SightlineError(f"{name} {value!r}: give a whole number from 0 on.")
        self.device = torch.device(device)
        self.batches = Batches(
            dataset,
            batch_size,
            shuffle=shuffle,
            seed=seed,
            last=last,
            rank=rank,
            world_size=world_size,
        )
        self.errors = []
        self.max_errors = max_errors
        self._normalize = normalize.to(self.device) if isinstance(normalize, torch.nn.Module) else normalize
        self._channels_last = channels_last
        self._loader = DataLoader(
            Reader(dataset, collate, seed_items=seed_items, max_errors=max_errors),
            batch_sampler=_Plans(self.batches),  # pyright: ignore[reportArgumentType] (of plans, not of lists)
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
            collate_fn=_as_read,
            worker_init_fn=begin_worker,
            generator=torch.Generator(),  # it draws a number for each pass, which is not to be a global one
        )
        self._consumed: int | None = None

    def __len__(self) -> int:
        """The number of batches in a whole epoch."""
        return len(self.batches)

    def batch_items(self, index: int) -> int:
        """The number of items that batch ``index`` has on all ranks; see `Batches.batch_items`."""
        return self.batches.batch_items(index)

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass the one of ``epoch``."""
        self.batches.set_epoch(epoch)
        self._consumed = None

    def __iter__(self) -> Iterator[Any]:
        consumed = self.batches.state_dict()["batches"]
        for read in self._on_gpu() if self.device.type == "cuda" else self._on_cpu():
            self._note(read)
            consumed += 1
            self._consumed = consumed
            if read.batch is not None:
                yield read.batch

    def close(self) -> None:
        """End the workers; another pass starts new ones.

        Left to the garbage collector, in a circle of objects, each would be waited for five seconds, as the
        queue that tells it to end is gone before it.
        """
        self._loader._iterator = None  # of the persistent workers; it ends them when it goes

    def state_dict(self) -> dict[str, Any]:
        """Where the training is, of plain values; the batch in hand counts as consumed."""
        return self.batches.state_dict(self._consumed) | {"errors": [asdict(error) for error in self.errors]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Make the next pass go on after what had been consumed; see `Batches.load_state_dict`."""
        self.batches.load_state_dict(state)
        try:
            self.errors = [ItemError(**error) for error in state["errors"]]
        except (KeyError, TypeError):
            raise SightlineError(
                "the state to resume batches from has no list of 'errors'; give a state_dict() of a Loader."
            ) from None
        self._consumed = None

    def _on_cpu(self) -> Iterator[Read]:
        for read in self._loaded():
            yield self._prepared(read)

    def _on_gpu(self) -> Iterator[Read]:
        side = torch.cuda.Stream(self.device)
        ahead = None
        for read in self._loaded():
            with torch.cuda.stream(side):
                prepared = self._prepared(read)
            following = prepared, torch.cuda.Event()
            following[1].record(side)
            if ahead is not None:
                yield self._handed_over(*ahead)
            ahead = following
        if ahead is not None:
            yield self._handed_over(*ahead)

    def _loaded(self) -> Iterator[Read]:
        if self._loader.num_workers:
            return batches_of_workers(self._loader)
        return iter(self._loader)

    def _note(self, read: Read) -> None:
        """Count what was left out of a batch.

        Raises:
            SightlineError: what ends the training; too much was left out.
        """
        if read.stop is not None:
            stop, read.stop = read.stop, None
            try:
                raise stop
            finally:
                del stop  # a circle with its traceback would keep the workers alive
        known = {error.index for error in self.errors}
        new = [error for error in read.errors if error.index not in known]
        self.errors += new
        if new and len(self.errors) > self.max_errors:
            named = "; ".join(error.message.rstrip(".") for error in self.errors[:_NAMED])
            raise SightlineError(
                f"{len(self.errors)} items cannot be read, which is more than max_errors={self.max_errors}: "
                f"{named}{'; ...' if len(self.errors) > _NAMED else ''}."
            )
        for count, error in enumerate(new, start=len(self.errors) - len(new) + 1):
            logger.warning("Left out (%d of at most %d): %s", count, self.max_errors, error.message)
        if read.batch is None and self.batches.world_size > 1:
            raise SightlineError(
                f"nothing is left of a batch of rank {self.batches.rank}, for which the other ranks would "
                f"wait: {read.errors[0].message}"
            )

    def _prepared(self, read: Read) -> Read:
        if read.batch is None:
            return read
        batch = each_tensor(read.batch, lambda tensor: tensor.to(self.device, non_blocking=True))
        if self._normalize is not None or self._channels_last is not None:
            batch = in_first(batch, self._with_images)
        return Read(batch, read.errors)

    def _with_images(self, first: Any) -> Any:
        """The first element of a batch, its images normalised and in the memory format asked for."""
        found = False

        def image(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal found
            if tensor.dim() != 4 or not (tensor.dtype == torch.uint8 or tensor.is_floating_point()):
                return tensor
            found = True
            if self._normalize is not None:
                tensor = self._normalize(tensor)
            if self._channels_last is None:
                return tensor
            return tensor.contiguous(
                memory_format=torch.channels_last if self._channels_last else torch.contiguous_format
            )

        first = each_tensor(first, image)
        if not found and self._normalize is not None:
            what = (
                f"{first.dtype} {tuple(first.shape)}"
                if isinstance(first, torch.Tensor)
                else type(first).__name__
            )
            raise SightlineError(
                "normalize is for batches whose first element is images (batch, channels, height, width), "
                f"but it is {what}; leave normalize out."
            )
        return first

    def _handed_over(self, read: Read, ready: torch.cuda.Event) -> Read:
        """The batch for use on the present stream, which neither runs ahead of its copy nor loses it."""
        present = torch.cuda.current_stream(self.device)
        present.wait_event(ready)
        each_tensor(read.batch, lambda tensor: tensor.record_stream(present))
        return read


class _Plans(Iterable[Plan]):
    """The batches, with what a worker has to know about the pass that they are of."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Plan]:
        epoch, seed = self._batches.epoch, self._batches.seed
        for indices in self._batches:
            yield Plan(seed, epoch, indices)


def _as_read(read: Any) -> Any:
    return read


def _refuse_other_than_map_style(dataset: Any) -> None:
    what = type(dataset).__name__
    if isinstance(dataset, Dataset):
        raise SightlineError(
            f"dataset '{dataset.info.dataset_name}' gives samples; load TorchDataset(dataset)."
        )
    if isinstance(dataset, IterableDataset) or not (
        hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    ):
        raise SightlineError(
            f"{what} is not a map-style dataset, which a Loader takes; give one with __len__ and __getitem__."
        )
