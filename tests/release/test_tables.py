"""What a release's tables say of an edit."""

from __future__ import annotations

import pytest

from photo_anonymizer.config import DRAWN_ICONS
from photo_anonymizer.release.tables import public_parameters


def test_a_users_icon_is_not_named() -> None:
    assert public_parameters({"icon": "/home/jane/me.png", "scale": 1.35}) == {"icon": "user's own", "scale": 1.35}


@pytest.mark.parametrize("icon", [*DRAWN_ICONS, None])
def test_an_icon_that_the_project_draws_is(icon: str | None) -> None:
    assert public_parameters({"icon": icon}) == {"icon": icon}
