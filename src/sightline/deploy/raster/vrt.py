"""Virtual rasters (GDAL's VRT): one made of parts of others, as a text that GDAL opens like a file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

from sightline.data.raster import Georeference

Resampling = Literal["nearest", "bilinear"]

_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}


@dataclass(frozen=True)
class Piece:
    """Where a band of a file goes: left, top, width and height, in pixels of the file and of the whole.

    ``band`` counts from 1; ``"mask,1"`` is the mask of band 1. Values of ``nodata`` are left out, as are,
    with ``use_mask``, those that the file's mask leaves out.
    """

    file: str
    band: int | str
    source: tuple[float, float, float, float]
    target: tuple[float, float, float, float]
    nodata: float | None = None
    use_mask: bool = False
    resampling: Resampling = "nearest"


@dataclass(frozen=True)
class Band:
    """A band of a virtual raster; where pieces overlap, the last counts."""

    pieces: Sequence[Piece]
    dtype: str
    nodata: float | None = None
    description: str | None = None
    scale: float = 1


@dataclass(frozen=True)
class VirtualRaster:
    """A raster whose pixels are in other files; ``mask`` tells where it has data, if nodata does not."""

    width: int
    height: int
    bands: Sequence[Band]
    place: Georeference
    mask: Band | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """It as XML, which GDAL opens."""
        root = ElementTree.Element("VRTDataset", rasterXSize=str(self.width), rasterYSize=str(self.height))
        _add_place(root, self.place)
        _add_tags(root, {**self.place.tags, **self.tags}, {})
        for number, band in enumerate(self.bands, 1):
            _add_band(root, band, {"band": str(number)})
        if self.mask is not None:
            _add_band(ElementTree.SubElement(root, "MaskBand"), self.mask, {})
        return ElementTree.tostring(root, encoding="unicode")


def _add_place(root: ElementTree.Element, place: Georeference) -> None:
    if place.crs is not None:
        _add(root, "SRS", place.crs.to_wkt())
    if place.transform is not None:
        a, b, c, d, e, f = place.transform[:6]
        _add(root, "GeoTransform", ", ".join(_number(value) for value in (c, a, b, f, d, e)))
    if place.gcps:
        crs = place.gcps_crs.to_wkt() if place.gcps_crs is not None else ""
        points = ElementTree.SubElement(root, "GCPList", Projection=crs)
        for point in place.gcps:
            position = {"Pixel": point.col, "Line": point.row, "X": point.x, "Y": point.y, "Z": point.z or 0}
            numbers = {name: _number(value) for name, value in position.items()}
            ElementTree.SubElement(points, "GCP", {"Id": str(point.id or ""), **numbers})
    if place.rpcs is not None:
        _add_tags(root, place.rpcs.to_gdal(), {"domain": "RPC"})


def _add_tags(root: ElementTree.Element, tags: Mapping[str, str], attributes: dict[str, str]) -> None:
    if tags:
        metadata = ElementTree.SubElement(root, "Metadata", attributes)
        for key, value in tags.items():
            _add(metadata, "MDI", value, key=key)


def _add_band(root: ElementTree.Element, band: Band, attributes: dict[str, str]) -> None:
    element = ElementTree.SubElement(root, "VRTRasterBand", {"dataType": _TYPES[band.dtype], **attributes})
    if band.description:
        _add(element, "Description", band.description)
    if band.nodata is not None:
        _add(element, "NoDataValue", _number(band.nodata))
    if band.scale != 1:
        _add(element, "Scale", _number(band.scale))
    for piece in band.pieces:
        _add_piece(element, piece)


def _add_piece(element: ElementTree.Element, piece: Piece) -> None:
    # A nodata value and a mask are obeyed by complex sources only, which cost a little more.
    kind = "ComplexSource" if piece.nodata is not None or piece.use_mask else "SimpleSource"
    source = ElementTree.SubElement(element, kind)
    if piece.resampling != "nearest":
        source.set("resampling", piece.resampling)
    _add(source, "SourceFilename", piece.file, relativeToVRT="0")
    _add(source, "SourceBand", str(piece.band))
    for name, (left, top, width, height) in (("SrcRect", piece.source), ("DstRect", piece.target)):
        numbers = {"xOff": left, "yOff": top, "xSize": width, "ySize": height}
        ElementTree.SubElement(source, name, {key: _number(value) for key, value in numbers.items()})
    if piece.nodata is not None:
        _add(source, "NODATA", _number(piece.nodata))
    if piece.use_mask:
        _add(source, "UseMaskBand", "true")


def _add(parent: ElementTree.Element, tag: str, text: str, **attributes: str) -> None:
    ElementTree.SubElement(parent, tag, attributes).text = text


def _number(value: float) -> str:
    """The shortest text that gives the number back."""
    value = float(value)
    if math.isnan(value):
        return "nan"
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
