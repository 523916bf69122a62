"""`sightline dataset` on this machine: convert, change, check and look at datasets. No service is needed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sightline.cli.named_values import named_values, step_words
from sightline.cli.output import AsJson, note, print_json, print_table, say
from sightline.errors import SightlineError
from sightline.files import temporary_folder

if TYPE_CHECKING:
    from sightline.data import Dataset

_Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="File, folder or s3:// address, in any format that is known.")
]
_Format = Annotated[
    str | None, typer.Option("--from", metavar="FORMAT", help="Its format. Default: what it looks like.")
]
_ReadOptions = Annotated[
    list[str] | None,
    typer.Option("--read", metavar="NAME=VALUE", help="An option of that format's reader; repeatable."),
]


class How(StrEnum):
    """How images get to where a dataset is written."""

    COPY = "copy"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


_How = Annotated[How, typer.Option(help="How images get there.")]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a dataset that is there.")]


def convert(
    source: _Source,
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="What to write.")],
    from_format: _Format = None,
    to_format: Annotated[str, typer.Option("--to", metavar="FORMAT", help="Format to write.")] = "sightline",
    read: _ReadOptions = None,
    write: Annotated[
        list[str] | None,
        typer.Option("--write", metavar="NAME=VALUE", help="An option of that format's writer; repeatable."),
    ] = None,
    how: _How = How.COPY,
    overwrite: _Overwrite = False,
) -> None:
    """Convert a dataset from one format to another; `sightline dataset formats` lists them.

    Examples:

      sightline dataset convert VOC2012 voc

      sightline dataset convert voc voc-coco --to coco

      sightline dataset convert photos signs --from image_folder --read name=street-signs
    """
    options = named_values(write or [], _options(to_format, "write"))
    # Only what was asked for: not every format has images to place, or a folder to replace.
    if how is not How.COPY:
        options["how"] = how.value
    if overwrite:
        options["overwrite"] = True
    with _images_made(destination) as images:
        dataset = _open(source, from_format, read, images)
        _refuse_links(dataset, images, how)
        dataset.to_format(destination, to_format, **options)
    say(f"{destination}: {len(dataset)} samples of '{dataset.info.dataset_name}' as {to_format}")


def apply(
    source: _Source,
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="Dataset folder to write.")],
    steps: Annotated[
        list[str], typer.Argument(metavar="STEP...", help="Such as 'sample n=20 seed=1', in quotes.")
    ],
    from_format: _Format = None,
    read: _ReadOptions = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Also write which sample is in which split to this file.")
    ] = None,
    how: _How = How.COPY,
    overwrite: _Overwrite = False,
) -> None:
    """Change a dataset step by step and write the result; `sightline dataset operations` lists the steps.

    Examples:

      sightline dataset apply bccd bccd-small 'filter "width >= 640"' 'filter_classes RBC,WBC' 'sample n=100'

      sightline dataset apply frames out 'create_splits ratios.train=.8 ratios.test=.2 group_by=collection_id'

      sightline dataset apply naip chips 'tile size=256 stride=256' --manifest splits.json
    """
    from sightline.data.recipes import Step

    parsed = [Step.of_json(step_words(text), f"step {number}") for number, text in enumerate(steps, start=1)]
    with _images_made(destination) as images:
        dataset = _open(source, from_format, read, images)
        for step in parsed:
            dataset = step.apply(dataset, images)
        _refuse_links(dataset, images, how)
        written = dataset.write(Path(destination).absolute(), how=how.value, overwrite=overwrite)
    if manifest is not None:
        written.write_split_manifest(manifest)
        say(f"{manifest}: which sample is in which split")
    say(f"{destination}: {written!r}")


class Images(StrEnum):
    """How closely `check` looks at image files."""

    NONE = "none"
    EXIST = "exist"
    HEADER = "header"
    DECODE = "decode"


def check(
    source: _Source,
    images: Annotated[Images, typer.Option(help="How closely to look at the image files.")] = Images.HEADER,
    from_format: _Format = None,
    read: _ReadOptions = None,
    limit: Annotated[int, typer.Option(help="Show at most so many problems.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong: classes, boxes, masks, ids, splits that share a recording, images.

    Exits with 1 where there is a problem.

    Examples:

      sightline dataset check bccd

      sightline dataset check bccd --images decode --json
    """
    with _images_made() as made:
        # (Missing images do not end the reading here: `check` lists them all.)
        dataset = _open(source, from_format, read, made, check_images=False)
        problems = dataset.check(images.value)
    if as_json:
        print_json(problems.to_dicts())
    elif len(problems):
        columns = ("problem", "sample_index", "task_name", "file_path", "detail")
        print_table(columns, problems.select(columns).head(limit).iter_rows(), empty="")
        counts = problems.group_by("problem").len().sort("len", "problem", descending=[True, False])
        say("")
        print_table(("problem", "count"), counts.iter_rows(), empty="")
    else:
        say(f"{source}: no problem found")
    if len(problems):
        raise typer.Exit(1)


def stats(source: _Source, from_format: _Format = None, read: _ReadOptions = None) -> None:
    """Print what is in a dataset: splits, image sizes, classes, boxes.

    Examples:

      sightline dataset stats .data/datasets/digits
    """
    with _images_made() as images:
        _open(source, from_format, read, images).print_stats()


def plot(
    source: _Source,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the PNG files.")],
    from_format: _Format = None,
    read: _ReadOptions = None,
) -> None:
    """Draw class balance, box sizes and places, image sizes and splits, as PNG files.

    Examples:

      sightline dataset plot bccd --output plots
    """
    with _images_made() as images:
        paths = _open(source, from_format, read, images).plot(output)
    for path in paths:
        say(str(path))


def view(
    source: _Source,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .png file, or an .html file to open.")],
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, help="How many images, drawn at random.")
    ] = 48,
    split: Annotated[str | None, typer.Option(help="Only of this split.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other images.")] = 0,
    from_format: _Format = None,
    read: _ReadOptions = None,
) -> None:
    """Look at images with their annotations: a contact sheet, or a page that opens without a server.

    Examples:

      sightline dataset view bccd --output bccd.png

      sightline dataset view bccd --output bccd.html --count 200 --split test
    """
    suffix = output.suffix.lower()
    if suffix not in (".png", ".html", ".htm"):
        raise SightlineError(f"--output {output}: write to a .png or an .html file.")
    with _images_made() as images:
        dataset = _open(source, from_format, read, images)
        if split is not None:
            dataset = dataset.create_split_dataset(split)
        write = dataset.contact_sheet if suffix == ".png" else dataset.write_page
        write(output, n=count, seed=seed)
    say(str(output))


def formats(as_json: AsJson = False) -> None:
    """List the formats that can be read and written, with the options of each.

    Examples:

      sightline dataset formats
    """
    from sightline.data.formats import FORMATS

    entries = [
        {
            "name": entry.name,
            "title": entry.title,
            "read": list(_options(entry.name, "read")) if entry.read else None,
            "write": list(_options(entry.name, "write")) if entry.write else None,
        }
        for entry in FORMATS.values()
    ]
    if as_json:
        print_json(entries)
        return
    rows = [(e["name"], _listed(e["read"]), _listed(e["write"]), e["title"]) for e in entries]
    print_table(("name", "read", "write", "title"), rows, empty="")


def operations(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Explain this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what can be done to a dataset, or explain one operation.

    Examples:

      sightline dataset operations

      sightline dataset operations map_classes
    """
    import inspect

    from sightline.cli.operation_views import operation_entry, signature
    from sightline.data.operations import OPERATIONS
    from sightline.data.recipes.steps import operation_named

    if name is not None:
        function = operation_named(name)
        say(signature(operation_entry(name)))
        say("")
        say(inspect.getdoc(function) or "")
        return
    entries = [operation_entry(each) for each in sorted(OPERATIONS)]
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        say(signature(entry))
        say(f"    {entry['description']}")


def _options(format: str, direction: Literal["read", "write"]) -> dict[str, Any]:
    """The types of the options that a format takes, by name; none where there is no such format."""
    from sightline.data.formats import FORMATS
    from sightline.data.formats.opening import options_of

    function = getattr(FORMATS.get(format), direction, None)
    return options_of(function) if function else {}


def _listed(names: list[str] | None) -> str:
    return "-" if names is None else " ".join(names) or "yes"


@contextmanager
def _images_made(destination: str | None = None) -> Iterator[Path]:
    """A folder for images that are made on the way, removed in the end.

    It is beside ``destination`` where that is on this machine, so that they may be moved there. Its name is
    such that writing ``destination`` later clears away what a killed process left.
    """
    prefix, beside, suffix = "sightline-", None, ""
    if destination is not None and "://" not in destination:
        target = Path(destination).absolute()
        prefix, suffix = f".{target.name}.{os.getpid()}-", ".part"
        beside = next(parent for parent in target.parents if parent.is_dir())
    with temporary_folder(prefix, beside, suffix) as folder:
        yield folder


def _refuse_links(dataset: "Dataset", images: Path, how: How) -> None:
    made = dataset.samples["file_path"].str.starts_with(str(images)).fill_null(value=False)
    if how is How.SYMLINK and made.any():
        raise SightlineError("there are new images, which cannot be linked to; leave out --how symlink.")


def _open(
    source: str, format: str | None, words: list[str] | None, images: Path, **defaults: Any
) -> "Dataset":
    """The dataset; images that are no files of their own are taken out of it into the folder ``images``.

    ``defaults`` are for the options that its format has.
    """
    from sightline.data import Dataset
    from sightline.data.formats import FORMATS
    from sightline.data.formats.registry import recognised

    if format is None:
        format = "sightline" if "://" in source else recognised(Path(source), FORMATS).name
        if format != "sightline":
            note(f"{source}: read as {format}")
    taken = _options(format, "read")
    defaults["folder"] = str(images)
    options = {name: value for name, value in defaults.items() if name in taken}
    return Dataset.from_format(source, format, **options | named_values(words or [], taken))
