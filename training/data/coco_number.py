"""The number under which all releases of COCO know an image."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

# 000000000009.jpg of train2017 is COCO_train2014_000000000009.jpg of train2014.
_NAME = re.compile(r"(?:COCO_[a-z]+\d{4}_)?(\d{12})")


def coco_number(file_name: str) -> int | None:
    """The number in an image's file name; None if it is not named as one of COCO's."""
    match = _NAME.fullmatch(PurePosixPath(file_name).stem)
    return int(match[1]) if match else None
