"""Whose answer counts when an image was looked at in pieces.

Each piece is a picture of its own for the language model and for SAM, so that a `[SEG]` embedding
is decoded in the picture that it was formed on, at that picture's resolution.
"""

from __future__ import annotations

from collections.abc import Sequence


def surest_piece(probabilities: Sequence[float]) -> int:
    """Return the piece with the largest seg_probability; the first of equals.

    Generated answers are written about this one: two texts would not make one, and what stands in
    both pieces would be counted twice.
    """
    return max(range(len(probabilities)), key=probabilities.__getitem__)


def accepting_pieces(probabilities: Sequence[float], threshold: float | None) -> list[int]:
    """Return the pieces that have a part in a prompted answer's mask.

    Each is asked whether what is wanted is in it, so that the threshold judges each, and all that
    accept take part: a target across the edge of a piece is whole only in their union. Found in any
    is found, so the probability of the whole is the largest. Without a threshold no piece ever
    refuses, and one without the target marks what resembles it; then only the surest takes part.
    """
    if threshold is None:
        return [surest_piece(probabilities)]
    return [piece for piece, p in enumerate(probabilities) if p >= threshold]
