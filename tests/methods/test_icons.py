"""Icons: those that this project draws, and what a user may bring."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from photo_anonymizer.config import DRAWN_ICONS, MaskConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.methods.icons import DRAWN, MAX_SIDE_PX, check_icon, icon, icon_of_side, users_icon
from photo_anonymizer.methods.svg import MAX_SVG_BYTES

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 30 10">{}</svg>'
RECTANGLE = '<rect width="15" height="10" fill="#ff0000"/>'


def written(folder: Path, content: str | bytes, name: str = "icon.svg") -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


class TestDrawn:
    def test_each_has_a_name_that_the_configuration_knows(self) -> None:
        assert tuple(DRAWN) == DRAWN_ICONS

    @pytest.mark.parametrize("name", DRAWN_ICONS)
    def test_each_is_opaque_in_the_middle_and_free_at_the_corners(self, name: str) -> None:
        picture = icon(name)
        assert picture[256, 256, 3] == 255
        assert (picture[[0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()

    @pytest.mark.parametrize("name", DRAWN_ICONS)
    def test_no_colour_is_stronger_than_its_coverage(self, name: str) -> None:
        picture = icon(name)
        assert (picture[..., :3] <= picture[..., 3:]).all()

    def test_no_two_are_the_same(self) -> None:
        assert len({icon(name).tobytes() for name in DRAWN_ICONS}) == len(DRAWN_ICONS)

    @pytest.mark.parametrize(("wanted", "given"), [(1, 1), (200, 256), (256, 256), (257, 512), (5000, 512)])
    def test_the_smallest_size_that_is_large_enough_is_taken(self, wanted: int, given: int) -> None:
        assert icon_of_side("smile", wanted).shape == (given, given, 4)


class TestPng:
    def test_it_may_have_any_shape(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "wide.png"), np.full((10, 30, 4), 255, np.uint8))
        picture = users_icon(str(tmp_path / "wide.png"))
        assert picture.shape == (30, 30, 4)
        assert (picture[10:20] == 255).all()
        assert (picture[:10] == 0).all()

    def test_half_transparent_colours_are_mixed_in_by_half(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "half.png"), np.full((4, 4, 4), (0, 0, 200, 128), np.uint8))
        assert users_icon(str(tmp_path / "half.png"))[0, 0].tolist() == [100, 0, 0, 128]

    def test_one_that_is_missing_no_picture_or_too_large_is_refused(self, tmp_path: Path) -> None:
        written(tmp_path, "no picture", "text.png")
        written(tmp_path, b"", "empty.png")
        cv2.imwrite(str(tmp_path / "large.png"), np.zeros((2, MAX_SIDE_PX + 1, 3), np.uint8))
        for name in ("missing.png", "text.png", "empty.png", "large.png"):
            with pytest.raises(ConfigError, match=r"mask\.icon"):
                users_icon(str(tmp_path / name))


class TestSvg:
    def test_it_is_drawn_with_its_proportions(self, tmp_path: Path) -> None:
        picture = users_icon(written(tmp_path, SVG.format(RECTANGLE)))
        assert picture.shape == (512, 512, 4)
        assert picture[256, 100].tolist() == [255, 0, 0, 255]
        assert picture[256, 400].tolist() == [0, 0, 0, 0]
        assert picture[100, 100].tolist() == [0, 0, 0, 0]

    def test_references_inside_it_are_followed(self, tmp_path: Path) -> None:
        inside = f'<defs><g id="a">{RECTANGLE}</g></defs><use xlink:href="#a" style="clip-path: url(#none)"/>'
        plain = f'<defs><g id="a">{RECTANGLE}</g></defs><use xlink:href="#a"/>'
        for content in (inside, plain):
            assert users_icon(written(tmp_path, SVG.format(content))).shape == (512, 512, 4)

    @pytest.mark.parametrize(
        "content",
        [
            SVG.format('<image href="file:///etc/hostname" width="9" height="9"/>'),
            SVG.format('<image xlink:href="data:image/png;base64,iVBORw0KGgo=" width="9" height="9"/>'),
            SVG.format('<use xlink:href="other.svg#a"/>'),
            SVG.format('<use href="http://localhost/a.svg#a"/>'),
            SVG.format('<rect width="9" height="9" fill="url(http://localhost/a.svg#a)"/>'),
            SVG.format("<style>rect { fill: url( 'other.svg#a' ) }</style>"),
            SVG.format("<style>@import 'other.css';</style>"),
            SVG.format("<script>alert(1)</script>"),
            SVG.format("<text>words look different on every machine</text>"),
            '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">]>' + SVG.format("<title>&a;</title>"),
            "not XML",
            "",
            "<html/>",
            SVG.format(RECTANGLE).encode("utf-16"),
            SVG.format("<title>" + "x" * MAX_SVG_BYTES + "</title>"),
        ],
    )
    def test_what_reaches_outside_or_is_none_is_refused(self, tmp_path: Path, content: str | bytes) -> None:
        with pytest.raises(ConfigError, match=r"mask\.icon"):
            users_icon(written(tmp_path, content))

    def test_few_lines_that_ask_for_very_many_shapes_are_refused(self, tmp_path: Path) -> None:
        groups = ""
        for level in range(1, 9):
            groups += f'<g id="g{level}">' + f'<use href="#g{level - 1}"/>' * 10 + "</g>"
        bomb = f'<defs><g id="g0">{RECTANGLE}</g>{groups}</defs><use href="#g8"/>'
        with pytest.raises(ConfigError, match="simplify"):
            users_icon(written(tmp_path, SVG.format(bomb)))


class TestCheck:
    def test_an_icon_that_is_not_asked_for_is_not_looked_at(self) -> None:
        check_icon(MaskConfig(shape="ellipse", icon="missing.png"))

    def test_one_that_is_asked_for_must_be_there(self) -> None:
        check_icon(MaskConfig(shape="icon", icon="cat"))
        with pytest.raises(ConfigError, match=r"mask\.icon"):
            check_icon(MaskConfig(shape="icon", icon="missing.png"))
