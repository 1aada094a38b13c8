"""The network and the slow reference twin compute what upstream LISA computed.

Tolerances in float32: ids and pixels equal; hidden states, embeddings and features within 1e-4;
mask logits within 2e-3; binary masks equal except where the mask's own |logit| is below 2e-3, at
most 0.02 % of the image.
"""

from __future__ import annotations

from golden_cases import compare_case
from golden_data import Golden, GoldenSet
from parity import Deviations


def test_case(case: Golden, golden_set: GoldenSet, deviations: Deviations) -> None:
    compare_case(case, golden_set.arrays(case), deviations).finish()
