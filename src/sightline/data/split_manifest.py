"""Split manifests: which sample is in which split, by what it is and never by where it stands.

A manifest lists the ids of samples (see `sightline.data.sample_ids`), so it holds for a dataset that was
shuffled, filtered, merged, moved, written or imported again. Beside each id stands the sample's group,
such as the video that it is a frame of, under the name of its dataset. The group tells where a sample
belongs that is not listed itself, and shows leaks without the images.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from sightline.data.leaks import leaks_of, refuse_leaks
from sightline.data.sample_ids import sample_ids
from sightline.data.sample_keys import group_keys, refuse_empty
from sightline.data.splits import SPLITS, UNDEFINED
from sightline.errors import SightlineError
from sightline.files import written_whole

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

logger = logging.getLogger("sightline.data")


class SplitManifest(BaseModel):
    """The ids of the samples of each split, each with its group or None.

    ``group_by`` is the key that makes a group (see `sightline.data.sample_keys`), ``made_with`` whatever
    was told about how the splits were made, ``digest`` the SHA-256 of ``splits``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sightline split manifest"] = "sightline split manifest"
    dataset_name: str
    version: str
    group_by: str = "collection_id"
    made_with: dict[str, Any] | None = None
    digest: str | None = None
    splits: dict[str, dict[str, str | None]]

    @field_validator("splits")
    @classmethod
    def _check_names(cls, splits: dict[str, dict[str, str | None]]) -> dict[str, dict[str, str | None]]:
        for name in splits:
            if name not in SPLITS:
                raise ValueError(f"split '{name}' is not one of {', '.join(SPLITS)}")
        return splits

    @classmethod
    def of(
        cls,
        dataset: "Dataset",
        *,
        group_by: str = "collection_id",
        made_with: dict[str, Any] | None = None,
        progress: bool = True,
    ) -> Self:
        """The manifest of the splits that ``dataset`` has now.

        Raises:
            SightlineError: an image that cannot be read, an unknown key, or splits that leak.
        """
        frame = dataset.samples
        groups = group_keys(frame, group_by)
        if group_by != "collection_id":  # which is looked at whether or not there are videos
            refuse_empty(groups, group_by)
        listed = pl.DataFrame(
            {
                "split": frame["split"],
                "id": sample_ids(frame, progress=progress),
                "group": groups,
            }
        ).sort("id", "group", nulls_last=False)
        splits = {
            # Of the same image twice the row with a group comes last, and counts.
            split: dict(listed.filter(pl.col("split") == split).select("id", "group").iter_rows())
            for split in SPLITS
            if (frame["split"] == split).any()
        }
        manifest = cls(
            dataset_name=dataset.info.dataset_name,
            version=dataset.info.version,
            group_by=group_by,
            made_with=made_with,
            digest=_digest(splits),
            splits=splits,
        )
        manifest.check_leaks()
        return manifest

    @classmethod
    def load(cls, source: str | Path | dict[str, Any]) -> Self:
        """The manifest in a file, or of what such a file holds.

        Raises:
            SightlineError: no such file, not a split manifest, or one that was changed by hand.
        """
        where = "split manifest" if isinstance(source, dict) else str(source)
        content = source if isinstance(source, dict) else _read_json(Path(source))
        try:
            manifest = cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            problem = first["msg"].removeprefix("Value error, ").rstrip(".")
            raise SightlineError(f"{where}: not a split manifest, field '{field}': {problem}.") from None
        if manifest.digest not in (None, _digest(manifest.splits)):
            raise SightlineError(
                f"{where}: was changed after it was written; restore it, or remove 'digest' if it is right."
            )
        return manifest

    def write(self, path: str | Path) -> None:
        """Write as JSON: one line per sample, sorted, so that two manifests can be compared as text."""
        with written_whole(Path(path)) as temporary:
            text = json.dumps(self.model_dump(), indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")

    def check_leaks(self) -> None:
        """Refuse a manifest that has a group or an image in two splits; UNDEFINED does not count.

        Raises:
            SightlineError: there are leaks; the sentence counts them and names the first.
        """
        refuse_leaks(
            leaks_of(self._listed().with_columns(sample_index=pl.lit(None, pl.UInt64))),
            f"split manifest of '{self.dataset_name}'",
        )

    def assign(self, frame: pl.DataFrame, *, missing: Literal["warn", "error"] = "warn") -> pl.Series:
        """The split of each sample of ``frame``: its own, else its group's, else null.

        Raises:
            SightlineError: an image that cannot be read, or with ``missing="error"`` a listed sample that
                ``frame`` does not have.
        """
        listed = self._listed()
        ids = sample_ids(frame).to_frame("id")
        self._report_missing(listed, ids, missing)
        own = ids.join(listed.unique("id"), on="id", how="left", maintain_order="left")["split"]
        if not own.null_count():
            return own
        assigned = listed.filter(pl.col("group").is_not_null(), pl.col("split") != UNDEFINED)
        groups = group_keys(frame, self.group_by).to_frame("group")
        by_group = groups.join(assigned.unique("group"), on="group", how="left", maintain_order="left")[
            "split"
        ]
        return own.zip_with(own.is_not_null(), by_group)

    def _listed(self) -> pl.DataFrame:
        parts = [
            pl.DataFrame(
                {"split": split, "id": list(listed), "group": list(listed.values())},
                schema={"split": pl.String, "id": pl.String, "group": pl.String},
            )
            for split, listed in self.splits.items()
        ]
        none = pl.DataFrame(schema={"split": pl.String, "id": pl.String, "group": pl.String})
        return pl.concat([none, *parts])

    def _report_missing(self, listed: pl.DataFrame, ids: pl.DataFrame, missing: str) -> None:
        absent = listed.join(ids, on="id", how="anti", maintain_order="left")
        if not len(absent):
            return
        sentence = (
            f"{len(absent)} of {len(listed)} samples in the split manifest of '{self.dataset_name}' are not "
            f"in this dataset, the first is {absent['id'][0]} of '{absent['split'][0]}'"
        )
        if missing == "error":
            raise SightlineError(f"{sentence}; apply it to the whole dataset.")
        logger.warning("%s.", sentence)


def write_split_manifest(
    dataset: "Dataset",
    path: str | Path,
    *,
    group_by: str = "collection_id",
    made_with: dict[str, Any] | None = None,
    progress: bool = True,
) -> SplitManifest:
    """Write which sample is in which split to the JSON file ``path``, for `apply_split_manifest`.

    ``group_by`` says what samples of one group have in common, as in `create_splits`. ``made_with`` is
    kept in the file, for people (``{"seed": 0, "ratios": {...}}``).

    Raises:
        SightlineError: an image that cannot be read, an unknown key, or a group or an image that is in
            two splits.
    """
    manifest = SplitManifest.of(dataset, group_by=group_by, made_with=made_with, progress=progress)
    manifest.write(path)
    return manifest


def _digest(splits: Mapping[str, Mapping[str, str | None]]) -> str:
    text = json.dumps(splits, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read as a split manifest ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise SightlineError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except json.JSONDecodeError as error:
        raise SightlineError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno} ({error.msg})."
        ) from None
