"""Images as COCO lists them: ids, file names, licences."""

from pathlib import PurePosixPath
from typing import Any

import polars as pl

from sightline.data.formats.coco import json_text
from sightline.data.formats.coco.numbering import numbered
from sightline.data.formats.image_files import unique_names

_WRITTEN_KEYS = ("id", "file_name", "height", "width", "license", "date_captured")


def image_ids(images: pl.DataFrame) -> pl.Series:
    """The id of each image of one file: that of its import, else a new number from 1."""
    wanted = _meta_of(images).str.json_path_match("$.id").cast(pl.Int64, strict=False)
    if wanted.null_count() == len(wanted):
        return numbered(wanted, 1)
    return numbered(wanted, 0)


def image_names(images: pl.DataFrame) -> pl.Series:
    """The file name of each image of one split, relative to its folder, no two the same.

    Those of an import where they lead nowhere else, differ, and have the ending that the file has now;
    else made of the paths.
    """
    paths = images["file_path"]
    known = _meta_of(images).str.json_path_match("$.file_name")
    if not known.null_count() and known.n_unique() == len(known) and all(map(_fits, known, paths)):
        return known
    return pl.Series(unique_names(paths), dtype=pl.String)


def image_texts(
    images: pl.DataFrame, ids: pl.Series, names: pl.Series, licenses: list[dict[str, Any]]
) -> pl.Series:
    """The entries of ``images``; licences that ``licenses`` lacks are added to it."""
    metas = _meta_of(images)
    others = json_text.other_keys(metas, ("id", "file_name", "height", "width", "license"))
    license_, date = pl.col("license"), pl.col("date")
    # Most ids are numbers, which JSON path gives as text; an id that is text stays one.
    license_text = pl.when(license_.cast(pl.Int64, strict=False).is_null()).then(json_text.quoted("license"))
    return images.select(
        ids.alias("id"),
        names.alias("file_name"),
        "height",
        "width",
        others["others"],
        pl.coalesce(_license_ids(images, licenses).cast(pl.String), metas.str.json_path_match("$.license"))
        .alias("license"),
        pl.when(metas.str.json_path_match("$.date_captured").is_null())
        .then(pl.col("attribution").struct.field("date_captured"))
        .alias("date"),
    ).select(
        pl.concat_str(
            pl.lit('{"id":'), "id", pl.lit(',"file_name":'), json_text.quoted("file_name"),
            pl.lit(',"height":'), "height", pl.lit(',"width":'), "width",
            json_text.field("license", license_text.otherwise(license_), license_.is_not_null()),
            json_text.field("date_captured", json_text.quoted("date"), date.is_not_null()),
            "others", pl.lit("}"),
        )
    ).to_series()  # fmt: skip


def _license_ids(images: pl.DataFrame, licenses: list[dict[str, Any]]) -> pl.Series:
    """The id of each image's first licence, by its name and URL; null where it has none."""
    first = images["attribution"].struct.field("licenses").list.first()
    if first.null_count() == len(first):
        return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(images))
    keys = first.to_frame("license").select(
        pl.col("license").is_not_null().alias("there"),
        *(pl.col("license").struct.field(name).fill_null("").alias(name) for name in ("name", "url")),
    )
    found = keys.filter("there").unique(maintain_order=True)
    ids = [_license_id(licenses, *key) for key in found.select("name", "url").iter_rows()]
    found = found.with_columns(pl.Series("id", ids, pl.Int64))
    return keys.join(found, on=["there", "name", "url"], how="left", maintain_order="left")["id"]


def _license_id(licenses: list[dict[str, Any]], name: str, url: str) -> int:
    for entry in licenses:
        if (entry.get("name") or "", entry.get("url") or "") == (name, url) and type(entry.get("id")) is int:
            return entry["id"]
    taken = [entry["id"] for entry in licenses if type(entry.get("id")) is int]
    licenses.append({"id": max(taken, default=0) + 1, "name": name, "url": url})
    return licenses[-1]["id"]


def _fits(name: str, path: str) -> bool:
    """Whether an image can be written under ``name``."""
    own = PurePosixPath(name)
    same_kind = own.suffix.lower() == PurePosixPath(path).suffix.lower()
    return same_kind and not own.is_absolute() and ".." not in own.parts and "\0" not in name


def _meta_of(images: pl.DataFrame) -> pl.Series:
    return images["meta"].struct.field("json")
