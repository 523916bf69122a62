"""The model card in a file of any format, read without loading the model or importing PyTorch."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from sightline.archives import DAMAGE
from sightline.deploy.card import CARD_KEY, ModelCard, Precision, no_card
from sightline.errors import SightlineError

Format = Literal["onnx", "torchscript", "pt2", "safetensors"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""Formats of exported models, which are also the endings of their names."""

_DAMAGED = "cannot be read as a model; is the file whole?"
_METADATA_PROPS = 14  # of ModelProto in onnx.proto
_MOST_METADATA = 64 << 20  # bytes of a header or an entry; a card has some thousand


class _DamagedError(Exception):
    """The file is not what its name says."""


def format_of(path: Path) -> Format | None:
    """The format of an exported model that a name stands for, or None."""
    suffix = path.suffix.removeprefix(".").lower()
    return next((known for known in FORMATS if known == suffix), None)


def refuse_precision(precision: Precision, format: Format) -> None:
    """Raise a `SightlineError` where files of a format have no such precision."""
    if precision == "int8" and format != "onnx":
        raise SightlineError(f"int8 is for ONNX files; choose fp32 or fp16 for {format}, or format onnx.")


def read_card(path: Path) -> ModelCard:
    """The card in a model file.

    Raises:
        SightlineError: there is no such file, it is damaged or of an unknown format, or has no card.
    """
    text = _text_in(path)
    if text is None:
        raise no_card(path)
    return ModelCard.from_text(text, path)


def _text_in(path: Path) -> str | None:
    known = format_of(path)
    if known is None:
        endings = ", ".join(f".{one}" for one in FORMATS)
        raise SightlineError(f"{path}: is not the name of a model file; they end in {endings}.")
    if not path.is_file():
        raise SightlineError(f"{path}: there is no such file.")
    try:
        if known == "safetensors":
            return _in_safetensors(path)
        return _in_onnx(path) if known == "onnx" else _in_zip(path)
    except (_DamagedError, *DAMAGE) as error:
        raise SightlineError(f"{path}: {_DAMAGED}") from error


def _in_zip(path: Path) -> str | None:
    """Files of ``torch.export.save`` and ``torch.jit.save`` are zip files; the directory is at their end."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(f"extra/{CARD_KEY}"):
                return archive.read(name).decode()
    return None


def _in_safetensors(path: Path) -> str | None:
    """Eight bytes of length, JSON of that length, and the tensors."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= _MOST_METADATA:
            raise _DamagedError
        header = json.loads(_exactly(stream, length))
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        if path.stat().st_size != 8 + length + max(ends, default=0):
            raise _DamagedError
    return header.get("__metadata__", {}).get(CARD_KEY)


def _in_onnx(path: Path) -> str | None:
    """ONNX files are protocol buffers, whose top level can be walked without reading what is below."""
    size = path.stat().st_size
    found = None
    with path.open("rb") as stream:
        for field, length in _fields(stream, size):
            if field != _METADATA_PROPS:
                stream.seek(length, 1)
                continue
            entry = _entry(_exactly(stream, length))
            if entry.get(1) == CARD_KEY.encode():
                found = entry.get(2, b"").decode()
    return found


def _fields(stream: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Number and length in bytes of each field with a length, whose content the caller reads or skips."""
    seen = False
    while stream.tell() < size:
        key = _number(stream)
        field, kind = key >> 3, key & 7
        if field == 0 or kind not in (0, 1, 2, 5):
            raise _DamagedError
        seen = True
        if kind == 2:
            length = _number(stream)
            if stream.tell() + length > size or (field == _METADATA_PROPS and length > _MOST_METADATA):
                raise _DamagedError
            yield field, length
        elif kind == 0:
            _number(stream)
        else:
            _exactly(stream, 8 if kind == 1 else 4)
    if not seen:
        raise _DamagedError


def _entry(content: bytes) -> dict[int, bytes]:
    """The texts of a StringStringEntryProto: 1 its key, 2 its value."""
    from io import BytesIO

    stream = BytesIO(content)
    return {field: _exactly(stream, length) for field, length in _fields(stream, len(content))}


def _number(stream: BinaryIO) -> int:
    """A varint: seven bits a byte, the lowest first, the eighth for "more follows"."""
    value = shift = 0
    while shift < 64:
        byte = _exactly(stream, 1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
    raise _DamagedError


def _exactly(stream: BinaryIO, length: int) -> bytes:
    content = stream.read(length)
    if len(content) != length:
        raise _DamagedError
    return content
