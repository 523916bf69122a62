"""How datasets are shown."""

from typing import TYPE_CHECKING

from sightline.files import readable_size

if TYPE_CHECKING:
    from sightline.client.wire import DatasetOut, Variant

_CLASSES_SHOWN = 12


def variant_size(dataset: "DatasetOut", variant: "Variant") -> str:
    """``60 items, 12.3 KB``, or a dash where the dataset has no such variant."""
    for found in dataset.dataset_variants:
        if found.variant_type is variant:
            return f"{found.number_of_data_items} items, {readable_size(found.size_bytes)}"
    return "-"


def dataset_fields(dataset: "DatasetOut") -> list[tuple[str, object]]:
    """All that `sightline dataset info` says, as names and values."""
    from sightline.client.wire import Variant

    policy = dataset.policy
    who = "automatically, within the limits" if policy.release.value == "auto" else "by the owner, one by one"
    fields: list[tuple[str, object]] = [
        ("name", dataset.name),
        ("id", dataset.id),
        ("title", dataset.title),
        ("version", dataset.version),
        ("owner", dataset.owner),
        ("published", dataset.created_at),
        ("sample", variant_size(dataset, Variant.SAMPLE)),
        ("hidden", variant_size(dataset, Variant.HIDDEN)),
        ("release", f"{who}; at most {readable_size(policy.max_release_bytes)}"),
        ("sandbox", "any, also without isolation" if policy.allow_process_sandbox else "isolated only"),
        ("overview", dataset.overview),
    ]
    for task in (dataset.info or {}).get("tasks", []):
        names = [
            str(item.get("name") if isinstance(item, dict) else item) for item in task.get("classes") or []
        ]
        what = f"{task.get('primitive')} '{task.get('name')}', {len(names)} classes"
        shown = ", ".join(names[:_CLASSES_SHOWN]) + (", …" if len(names) > _CLASSES_SHOWN else "")
        fields.append(("task", f"{what}: {shown}"))
    return fields
