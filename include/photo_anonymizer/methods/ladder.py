"""The ladder that a face climbs while an attack still links it: as a rule the method stronger, pixelation, masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from photo_anonymizer.config import STRONGER, MethodName, RunConfig
from photo_anonymizer.methods.region import Shape

SOLID = ("local", "#202020", "#c0c0c0")
"""Colours of the masks of the last rungs, in turn. A recogniser gives an empty box an embedding too, and for one or two
faces in a hundred that lies within its threshold by accident; a box of another colour lies elsewhere. First comes what
surrounds the face, because it disturbs a picture least."""
OUTLINE_LESS = 0.1
_CELLS = (STRONGER, "pixelate", "mask", "mask")
USUAL: Mapping[str, tuple[str, ...]] = {
    "blur": _CELLS,
    "pixelate": _CELLS,
    "synthetic": _CELLS,
    "feature_preserving": _CELLS,
    "mask": ("mask", "mask"),
    "avatar": ("mask", "mask"),
}
"""What ``auto`` means."""


@dataclass(frozen=True)
class Step:
    """One rung: a method with every parameter it needs.

    :param scale: size of the changed region relative to the detected box.
    :param hair: does the region cover the hair too?
    """

    method: MethodName
    parameters: dict[str, Any]
    scale: float
    shape: Shape = "ellipse"
    hair: bool = False
    otherwise: Step | None = None
    """What takes over where the method cannot do a face; ``None`` for methods that can do every face."""

    def about(self) -> dict[str, Any]:
        """The rung as a patch records it."""
        return {**self.parameters, "scale": self.scale, "shape": self.shape, "hair": self.hair}


def choose_method(config: RunConfig) -> MethodName:
    """The run's method: the one asked for or, for ``auto``, what suits the purpose (internal review → blur, realism →
    synthetic, otherwise mask, the conservative choice)."""
    return config.chosen_method


def ladder(config: RunConfig, method: MethodName) -> tuple[Step, ...]:
    """The rungs that a face of this run may take: the configured method, then what ``reid.ladder`` says."""
    words = config.reid.rungs or USUAL[method]
    steps = [_own(config, method)]
    for place, word in enumerate(words):
        times = 1 + words[:place].count(word)
        steps.append(_stronger(config, method, times) if word == STRONGER else _rung(config, word, times))
    return tuple(replace(step, hair=config.region.hair) for step in steps)


def _own(config: RunConfig, method: str) -> Step:
    """A method as it is configured."""
    makers: Mapping[str, Callable[[RunConfig], Step]] = {
        "blur": lambda config: _cells(config, "blur"),
        "pixelate": lambda config: _cells(config, "pixelate"),
        "mask": _mask,
        "avatar": lambda config: Step("avatar", dict(config.avatar.model_dump()), config.region.scale),
        "synthetic": _synthetic,
        "feature_preserving": _feature_preserving,
    }
    return makers[method](config)


def _stronger(config: RunConfig, method: MethodName, times: int) -> Step:
    """The method once more: half the cells, half as strong again, or a larger region."""
    own = _own(config, method)
    if method == "mask":
        return _solid(config, times)
    if method == "avatar":
        return replace(own, scale=own.scale * _larger(times))
    if method in ("blur", "pixelate"):
        fewer = max(1, own.parameters["cells"] // 2**times)
        return replace(own, parameters={**own.parameters, "cells": fewer}, scale=own.scale * 1.1**times)
    return replace(own, parameters={**own.parameters, "strength": own.parameters["strength"] * 1.5**times})


def _rung(config: RunConfig, word: str, times: int) -> Step:
    """Another method: coarser than it is configured where it has cells, each mask larger than the one before."""
    if word == "mask":
        return _solid(config, times)
    makers = {"pixelate": _pixelated, "blur": _blurred}
    return makers[word](config) if word in makers else _own(config, word)


def _mask(config: RunConfig) -> Step:
    icon = config.mask.icon_name if config.mask.shape == "icon" else None
    parameters: dict[str, Any] = {"colour": config.mask.colour, "icon": icon}
    if config.mask.shape == "outline":
        # The region's scale is for an ellipse; a shape that follows the face needs less to reach as far.
        times = round(config.region.scale - OUTLINE_LESS, 3)
        parameters |= {"outline": times, "feather": config.region.feather}
    shapes: dict[str, Shape] = {"rectangle": "rectangle", "rounded": "rounded", "icon": "circle"}
    return Step("mask", parameters, config.region.scale, shapes.get(config.mask.shape, "ellipse"))


def _cells(config: RunConfig, method: Literal["blur", "pixelate"]) -> Step:
    return Step(method, dict(getattr(config, method).model_dump()), config.region.scale)


def _synthetic(config: RunConfig) -> Step:
    """Where a face cannot be drawn well it is blurred, coarsely: that can always be done, and looks calm."""
    own = config.synthetic
    parameters: dict[str, Any] = {"donors": own.donors, "k": own.k, "strength": own.strength}
    if own.generator != "none":
        parameters = {
            "generator": own.generator,
            "generator_model": own.generator_model,
            "strength": own.strength,
        }
    return Step("synthetic", parameters, config.region.scale, otherwise=_blurred(config))


def _feature_preserving(config: RunConfig) -> Step:
    """What cannot be drawn well is blurred, as in :func:`_synthetic`."""
    strength = config.feature_preserving.strength
    return Step("feature_preserving", {"strength": strength}, config.region.scale, otherwise=_blurred(config))


def _blurred(config: RunConfig) -> Step:
    """One cell a face, smoothed: as little of the face as :func:`_pixelated` leaves."""
    return Step("blur", {**_pixelated(config).parameters, "sigma": config.blur.sigma}, config.region.scale * 1.1)


def _pixelated(config: RunConfig) -> Step:
    """One cell a face, at least so noisy."""
    own = config.pixelate
    coarse = {"cells": 1, "levels": 8, "noise": max(own.noise, 16.0), "surroundings": own.surroundings}
    return Step("pixelate", coarse, config.region.scale * 1.1)


def _solid(config: RunConfig, times: int) -> Step:
    """A rounded box, larger and of another colour every time."""
    colour = SOLID[(times - 1) % len(SOLID)]
    return Step("mask", {"colour": colour, "icon": None}, config.region.scale * _larger(times), "rounded")


def _larger(times: int) -> float:
    """1.3, 1.7, 2.1, …"""
    return round(0.9 + 0.4 * times, 1)
