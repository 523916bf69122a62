"""Colours, line widths and labels shared by the primitives when they draw themselves."""

import colorsys
import zlib
from functools import cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]


@cache
def class_colour(name: str) -> Colour:
    """The colour of a class: the same in every picture, process and machine."""
    code = zlib.crc32(name.encode())
    # The brightness varies with other bits than the hue, so that classes of a similar hue differ too.
    hue, value = (code & 0xFFFF) / 0x10000, 0.75 + 0.25 * ((code >> 16) & 0xFF) / 0xFF
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def line_width(image: Image.Image, nested: bool) -> int:
    """Width in pixels of a line that reads well at the image's size."""
    return 1 if nested else max(2, round(min(image.size) / 240))


def font_size(image: Image.Image) -> int:
    """Height in pixels of text that reads well at the image's size."""
    return max(10, round(min(image.size) / 36))


def line_height(image: Image.Image) -> int:
    """Pixels from one line of labels to the next."""
    return font_size(image) + 6


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def draw_label(
    image: Image.Image, anchor: tuple[float, float], text: str, colour: Colour, *, above: bool
) -> None:
    """Write ``text`` on a plate of ``colour`` with its corner at ``anchor``, kept within the image.

    With ``above`` the plate stands on the anchor where there is room, else it hangs from it.
    """
    canvas = ImageDraw.Draw(image)
    font = _font(font_size(image))
    text = " ".join(text.split())  # a line break would leave the plate
    left, top, right, bottom = canvas.textbbox((0, 0), text, font=font)
    width, height = round(right - left) + 6, line_height(image) - 1
    x, y = (round(value) for value in anchor)  # Pillow cuts off text at fractions of a pixel
    if above and y - height >= 0:
        y -= height
    x = max(0, min(x, image.width - width))
    y = max(0, min(y, image.height - height))
    canvas.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    ink = (0, 0, 0) if luminance > 140 else (255, 255, 255)
    middle = y + (height - round(bottom - top)) // 2
    canvas.text((x + 3 - round(left), middle - round(top)), text, fill=ink, font=font)


def tint(image: Image.Image, mask: Image.Image, colour: Colour, opacity: float) -> None:
    """Blend ``colour`` into ``image`` where the 8-bit ``mask`` of the same size is set."""
    image.paste(colour, mask=mask.point([round(value * opacity) for value in range(256)]))
