"""API keys and lease tokens: random, shown once, kept only as a hash.

They hold 256 random bits, so that a plain SHA-256 is enough: there is nothing to guess from.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

_LENGTH_OF_PREFIX = 12


@dataclass(frozen=True)
class NewKey:
    """``text`` is for its holder's eyes alone; ``prefix`` is how it is found, ``hash`` how it is checked."""

    text: str
    prefix: str
    hash: str


def new_key() -> NewKey:
    """A fresh API key, ``sl_<prefix>_<secret>``."""
    prefix = secrets.token_hex(_LENGTH_OF_PREFIX // 2)
    text = f"sl_{prefix}_{secrets.token_urlsafe(32)}"
    return NewKey(text, prefix, hash_of(text))


def prefix_of(key: str) -> str | None:
    """The part of an API key that may be stored in the clear; None where the text is no key at all."""
    head, _, rest = key.partition("_")
    prefix, _, secret = rest.partition("_")
    return prefix if head == "sl" and len(prefix) == _LENGTH_OF_PREFIX and secret else None


def new_token() -> str:
    """A fresh lease token."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Hex SHA-256 of a key or token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, stored_hash: str) -> bool:
    """Whether ``secret`` has that hash, in a time that does not tell how nearly."""
    return hmac.compare_digest(hash_of(secret), stored_hash)
