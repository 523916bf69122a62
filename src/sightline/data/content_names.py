"""Names of image files that say what is in them, so that what is there already is known by its name."""

import re

from sightline.dataset_folder import IMAGE_FOLDER

_NAME = re.compile(
    rf"(^|/){IMAGE_FOLDER}/(?P<start>[0-9a-f]{{2}})/(?P<digest>(?P=start)[0-9a-f]{{30}})(\.[^./]*)?$"
)


def image_name(digest: str, suffix: str) -> str:
    """The name below a dataset's folder of the image whose SHA-256 is ``digest``, as hex."""
    return f"{IMAGE_FOLDER}/{digest[:2]}/{digest[:32]}{suffix.lower()}"


def digest_in(path: str) -> str | None:
    """The first 32 hex digits of the content's SHA-256 where a path ends in an `image_name`, else None."""
    found = _NAME.search(path)
    return found["digest"] if found else None
