"""The ladder that a face climbs while an attack still links it: the same method stronger, pixelation, then masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from photo_anonymizer.config import MethodName, RunConfig
from photo_anonymizer.methods.region import Shape

LIGHT, DARK = "#c0c0c0", "#202020"
"""Greys of the last rungs. A recogniser gives an empty box an embedding too, and for one or two faces in a hundred that
lies within its threshold by accident; a box of another grey lies elsewhere."""
OUTLINE_LESS = 0.1


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
    """The run's method: the one asked for or, for ``auto``, what suits the purpose (internal review → blur, otherwise
    mask, the conservative choice)."""
    return config.chosen_method


def ladder(config: RunConfig, method: MethodName) -> tuple[Step, ...]:
    """The rungs that a face of this run may take, weakest first; the first one is the configured method."""
    return tuple(replace(step, hair=config.region.hair) for step in _steps(config, method))


def _steps(config: RunConfig, method: MethodName) -> tuple[Step, ...]:
    scale = config.region.scale
    first = Step(method, _parameters(config, method), scale, _shape(config) if method == "mask" else "ellipse")
    if method in ("mask", "avatar"):
        return first, _solid(scale * 1.3, LIGHT), _solid(scale * 1.7, DARK)
    stronger = Step(method, {**first.parameters, "cells": max(1, first.parameters["cells"] // 2)}, scale * 1.1)
    coarse = {"cells": 1, "levels": 8, "noise": max(config.pixelate.noise, 16.0)}
    pixelated = Step("pixelate", coarse, scale * 1.1)
    return first, stronger, pixelated, _solid(scale * 1.3, LIGHT)


def _parameters(config: RunConfig, method: MethodName) -> dict[str, Any]:
    if method == "mask":
        icon = config.mask.icon_name if config.mask.shape == "icon" else None
        plain = {"colour": config.mask.colour, "icon": icon}
        if config.mask.shape != "outline":
            return plain
        # The region's scale is for an ellipse; a shape that follows the face needs less to reach as far.
        times = round(config.region.scale - OUTLINE_LESS, 3)
        return {**plain, "outline": times, "feather": config.region.feather}
    return dict(getattr(config, method).model_dump())


def _shape(config: RunConfig) -> Shape:
    shapes: dict[str, Shape] = {"rectangle": "rectangle", "rounded": "rounded", "icon": "circle"}
    return shapes.get(config.mask.shape, "ellipse")


def _solid(scale: float, colour: str) -> Step:
    return Step("mask", {"colour": colour, "icon": None}, scale, "rectangle")
