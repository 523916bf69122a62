"""Categories and classes: numbers with holes on the one side, a class index from 0 on the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

from sightline.data.formats.coco.parsing import Category, entries
from sightline.data.formats.repairs import Repairs
from sightline.errors import SightlineError

CategoryDict = dict[str, Any]


class Classes:
    """The classes of all files that are read, by name, in the order in which files list them."""

    def __init__(self) -> None:
        self.categories: list[CategoryDict] = []
        self._index: dict[str, int] = {}
        self._name_of_id: dict[int, str] = {}

    @property
    def names(self) -> list[str]:
        """The classes by class index."""
        return list(self._index)

    def index_of_id(self, path: Path, items: Sequence[Raw], repairs: Repairs) -> dict[int, int]:
        """The class index of each category of a file, whose classes are added where they are new.

        Categories of the same name are one class.

        Raises:
            SightlineError: an entry that is no category, or an id that occurs twice.
        """
        result: dict[int, int] = {}
        names: set[str] = set()
        for number, category in enumerate(entries(path, items, Category, "categories")):
            if category.id in result:
                raise SightlineError(f"{path}: categories[{number}].id is {category.id} for the second time.")
            if category.name in names:
                repairs.add("categories taken for the class of the same name", f"'{category.name}'")
            names.add(category.name)
            result[category.id] = self._index.setdefault(category.name, len(self._index))
            known = self._name_of_id.setdefault(category.id, category.name)
            if known != category.name:
                example = f"{category.id}, '{known}' and '{category.name}'"
                repairs.add("category ids of another class in another file", example)
            as_dict = msgspec.json.decode(items[number])
            if as_dict not in self.categories:
                self.categories.append(as_dict)
        return result


def categories_of(
    known: Sequence[CategoryDict], class_names: Sequence[str]
) -> tuple[list[CategoryDict], dict[str, int]]:
    """The entries of ``categories`` for classes, and the id of each class.

    Classes that are ``known`` from an import keep their entries; others get the numbers that follow.
    Where several entries have the name of one class, the last one is that class: Roboflow puts a
    placeholder of that name first.
    """
    result: list[CategoryDict] = []
    ids: set[int] = set()
    for category in known:
        if category["name"] in class_names and category["id"] not in ids:
            result.append(category)
            ids.add(category["id"])
    id_of = {category["name"]: category["id"] for category in result}
    following = max(ids, default=0) + 1
    for name in class_names:
        if name not in id_of:
            id_of[name] = max(following, 1)
            following = id_of[name] + 1
            result.append({"id": id_of[name], "name": name, "supercategory": ""})
    return result, id_of


def class_indices(
    path: Path, category_ids: np.ndarray, index_of_id: dict[int, int], what: str, numbers: np.ndarray
) -> np.ndarray:
    """The class index of each annotation.

    Raises:
        SightlineError: a category that the file does not list; the sentence names the annotation.
    """
    known = np.array(sorted(index_of_id), dtype=np.int64)
    places = np.searchsorted(known, category_ids).clip(max=max(0, len(known) - 1))
    wrong = known[places] != category_ids if len(known) else np.ones(len(category_ids), dtype=bool)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise SightlineError(
            f"{path}: {what}[{numbers[row]}].category_id is {category_ids[row]}, which categories do not "
            "list; add it there."
        )
    return np.array([index_of_id[i] for i in known.tolist()], dtype=np.int64)[places]
