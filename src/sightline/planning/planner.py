"""`plan`: a spec for a dataset on a machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.config import load_text
from sightline.engine import Spec
from sightline.engine.duration import Duration
from sightline.errors import SightlineError
from sightline.files import written_whole
from sightline.planning import classification, detection, segmentation
from sightline.planning.choices import Choice, spec_of, spec_yaml
from sightline.planning.facts import DatasetFacts, look_at, number_of_classes
from sightline.planning.machine import Machine, this_machine
from sightline.planning.missing_splits import Splits, with_splits
from sightline.planning.shared import Situation, storage
from sightline.tasks.source import DatasetConfig, open_dataset

_RULES = {
    "classification": ("sightline.tasks.Classification", "a class for each image", classification.choices),
    "detection": ("sightline.tasks.Detection", "boxes around objects", detection.choices),
    "segmentation": ("sightline.tasks.Segmentation", "a class for each pixel", segmentation.choices),
}


@dataclass(frozen=True, eq=False)
class Plan:
    """A spec with the reason for each value, and what it was made for."""

    facts: DatasetFacts
    machine: Machine
    splits: Splits
    choices: Sequence[Choice]
    splits_file: Path | None
    """Where `write` puts the split manifest, if the dataset lacks splits."""

    @property
    def spec(self) -> Spec:
        """The spec."""
        return load_text(Spec, self.yaml(), name="the plan")

    @property
    def values(self) -> dict[str, Any]:
        """The chosen values, as in a spec file."""
        return spec_of(self.choices)

    def yaml(self) -> str:
        """The spec as YAML, with the reasons as comments."""
        heading = [
            f"Planned for '{self.facts.dataset.info.dataset_name}': {self.facts.summary()}.",
            f"Planned on {self.machine}.",
            "Every value is yours to change; docs/spec.md lists all keys.",
        ]
        return spec_yaml(self.choices, heading)

    def write(self, path: Path) -> None:
        """Write the spec to ``path``, and the split manifest beside it where there has to be one.

        Raises:
            SightlineError: the splits leak: an image, or a recording, is in two of them.
        """
        if self.splits_file is not None:
            self.splits.dataset.write_split_manifest(
                self.splits_file,
                group_by=self.splits.group_by or "collection_id",
                made_with=self.splits.made_with,
            )
        with written_whole(path) as temporary:
            temporary.write_text(self.yaml(), encoding="utf-8")


def plan(
    dataset: str,
    path: Path | str,
    *,
    task: str | None = None,
    time: str | None = None,
    machine: Machine | None = None,
) -> Plan:
    """Look at a dataset and a machine, and choose how to train.

    Args:
        dataset: a dataset folder, the file of a recipe, or a name, as a spec has it.
        path: of the spec that will be written; the split manifest, where one is needed, lies beside it.
        task: the dataset's task to learn; by default the only one.
        time: in which the training should end, such as ``10m``.
        machine: to train on; by default this one.

    Raises:
        SightlineError: there is no such dataset, it is of a foreign format, or it cannot be learned from.
    """
    path = Path(path)
    seconds = _seconds(time)
    opened = open_dataset(DatasetConfig(dataset=dataset))
    splits = with_splits(opened)
    facts = look_at(dataset, splits.dataset, task)
    machine = machine or this_machine()
    situation = Situation(facts, machine, seconds)
    splits_file = path.with_name(f"{path.stem}-splits.json") if splits.changed else None
    choices = [*_of_data(situation, splits, splits_file), *_RULES[facts.kind][2](situation)]
    return Plan(facts, machine, splits, choices, splits_file)


def _of_data(situation: Situation, splits: Splits, splits_file: Path | None) -> list[Choice]:
    facts = situation.facts
    class_path, what, _ = _RULES[facts.kind]
    key = "task.init_args.data"
    choices = [
        Choice("name", facts.dataset.info.dataset_name, "of the runs"),
        Choice("seed", 0, "all randomness follows from it"),
        Choice("task.class_path", class_path, what),
        Choice(f"{key}.dataset", facts.where, splits.reason if splits_file is None else "as given"),
        Choice(f"{key}.task", facts.task.name, f"{number_of_classes(facts)}: {_some(facts.classes)}"),
    ]
    if splits_file is not None:
        choices.append(Choice(f"{key}.splits", str(splits_file), splits.reason))
    return [*choices, storage(situation)]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _seconds(time: str | None) -> float | None:
    if time is None:
        return None
    try:
        duration = Duration.parse(time)
    except SightlineError:
        duration = None
    if duration is None or duration.unit != "s":
        raise SightlineError(f"--time {time}: give a time above 0, such as 90s, 10m or 2h.")
    return duration.amount
