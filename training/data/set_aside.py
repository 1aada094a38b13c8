"""What is never trained on of a dataset without published splits, to be asked about instead.

Chosen by a hash of names: alike on every machine and in every release of the dataset.
"""

from __future__ import annotations

import hashlib

VAL_SHARE = 0.01
_DIGEST_BYTES = 8


def is_set_aside(name: str, share: float) -> bool:
    """Whether this name is among the `share` (0 to 1) of all names; a larger share adds others."""
    content = name.encode(errors="surrogatepass")
    digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
    place = int.from_bytes(digest, "big") / (1 << 8 * _DIGEST_BYTES)
    return place < share
