"""From a `Dataset`, or any map-style dataset of PyTorch's, to training batches.

`Loader` is the whole way in one call; `TorchDataset`, `Batches` and `collate` are its parts, for a
``torch.utils.data.DataLoader`` of one's own. Importing this imports torch, which the extra ``train``
installs.
"""

from sightline.data.loading.augment import BatchTransform, ShiftFlip
from sightline.data.loading.collate import collate
from sightline.data.loading.dataset import TorchDataset
from sightline.data.loading.loader import Loader
from sightline.data.loading.normalize import Normalize
from sightline.data.loading.reading import ItemError
from sightline.data.loading.sampler import Batches
from sightline.data.loading.targets import IGNORE_INDEX

__all__ = [
    "IGNORE_INDEX",
    "BatchTransform",
    "Batches",
    "ItemError",
    "Loader",
    "Normalize",
    "ShiftFlip",
    "TorchDataset",
    "collate",
]
