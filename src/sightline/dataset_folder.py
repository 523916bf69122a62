"""The names of what lies in a dataset folder, for every room that looks into one.

The folder's format itself is `sightline.data`'s business.
"""

INFO_FILE = "dataset_info.json"
"""Name, version and tasks. It is written last: where it is, the dataset is whole."""

PARQUET_FILE = "annotations.parquet"
"""One row per sample, for machines."""

JSONL_FILE = "annotations.jsonl"
"""The same rows, for people."""

IMAGE_FOLDER = "data"
"""Images, stored by content."""
