"""How finely a new face is drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.methods.surrogate.source import drawn_side_px

FINEST_TEXTURE_PX = 512
TEXTURE_CM = 15
"""Width of a face that a texture holds."""

resolutions = st.floats(0.1, 200)


@given(resolutions)
def test_a_texture_is_as_fine_as_the_photo_or_the_finest(px_a_cm: float) -> None:
    assert drawn_side_px(px_a_cm) >= min(TEXTURE_CM * px_a_cm, FINEST_TEXTURE_PX)


@given(resolutions, resolutions)
def test_a_finer_photo_gets_no_coarser_texture(one: float, other: float) -> None:
    coarser, finer = sorted((one, other))
    assert drawn_side_px(coarser) <= drawn_side_px(finer)
