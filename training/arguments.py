"""Numbers on a command line; argparse says what is wrong with one."""

from __future__ import annotations

import argparse


def positive(text: str) -> int:
    """1 or more."""
    return _from(1, text)


def not_negative(text: str) -> int:
    """0 or more."""
    return _from(0, text)


def _from(lowest: int, text: str) -> int:
    number = int(text)
    if number < lowest:
        raise argparse.ArgumentTypeError(f"{number} is below {lowest}")
    return number
