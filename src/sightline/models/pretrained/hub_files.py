"""Files of the Hugging Face Hub: from its cache on this machine, or fetched when there is a network."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from sightline.errors import SightlineError

_WAIT_SECONDS = 5.0


def hub_file(repository: str, names: tuple[str, ...], revision: str | None = None) -> Path:
    """The first file of a repository that the cache has, or else the first that the Hub has.

    Whether the Hub can be reached is asked first: its client tries for minutes where there is no network.

    Args:
        repository: such as ``timm/resnet18.a1_in1k``.
        names: names of the same weights, the best form first.
        revision: a commit or branch; by default the main one.

    Raises:
        SightlineError: it is not here, and cannot be fetched; the sentence says why, in a few words.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError

    for name in names:
        cached = try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
    if constants.HF_HUB_OFFLINE:
        raise SightlineError("HF_HUB_OFFLINE is set")
    _expect_reachable(constants.ENDPOINT)
    for name in names:
        try:
            return Path(hf_hub_download(repository, name, revision=revision))
        except EntryNotFoundError:
            continue
        except Exception as error:  # of the client, and of whatever HTTP library it uses
            raise SightlineError(" ".join(str(error).split())[:200] or type(error).__name__) from error
    raise SightlineError(f"{repository} has no {' or '.join(names)}")


def _expect_reachable(endpoint: str) -> None:
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return  # the client goes through it
    address = urlsplit(endpoint)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=_WAIT_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise SightlineError(f"{address.hostname} cannot be reached: {reason}") from error
