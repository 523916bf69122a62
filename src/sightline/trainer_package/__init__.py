"""Trainer packages: make, check, list and unpack a ``trainer.zip``, and read the command that runs it."""

from sightline.trainer_package.collect import LeftOut, PackageFolder
from sightline.trainer_package.command import parse_command
from sightline.trainer_package.layout import MAX_PACKAGE_BYTES, MAX_PACKAGE_FILES, PackedFile
from sightline.trainer_package.package import (
    PackageSummary,
    check_folder,
    check_zip,
    create_zip,
    extract_package,
    inspect_folder,
    list_names,
    read_zip,
)
from sightline.trainer_package.requirements import read_requirements, read_requires_python
from sightline.trainer_package.starting import EXAMPLES, begin_package, example_folder

__all__ = [
    "EXAMPLES",
    "MAX_PACKAGE_BYTES",
    "MAX_PACKAGE_FILES",
    "LeftOut",
    "PackageFolder",
    "PackageSummary",
    "PackedFile",
    "begin_package",
    "check_folder",
    "check_zip",
    "create_zip",
    "example_folder",
    "extract_package",
    "inspect_folder",
    "list_names",
    "parse_command",
    "read_requirements",
    "read_requires_python",
    "read_zip",
]
