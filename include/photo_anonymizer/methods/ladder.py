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
    """The run's method: the one asked for or, for ``auto``, what suits the purpose (internal review → blur, realism →
    synthetic, otherwise mask, the conservative choice)."""
    return config.chosen_method


def ladder(config: RunConfig, method: MethodName) -> tuple[Step, ...]:
    """The rungs that a face of this run may take, weakest first; the first one is the configured method."""
    makers = {
        "blur": _cells,
        "pixelate": _cells,
        "mask": _mask,
        "avatar": _avatar,
        "synthetic": _synthetic,
        "feature_preserving": _feature_preserving,
    }
    steps = makers[method](config, method)
    return tuple(replace(step, hair=config.region.hair) for step in steps)


def _mask(config: RunConfig, _: MethodName) -> tuple[Step, ...]:
    icon = config.mask.icon_name if config.mask.shape == "icon" else None
    parameters: dict[str, Any] = {"colour": config.mask.colour, "icon": icon}
    if config.mask.shape == "outline":
        # The region's scale is for an ellipse; a shape that follows the face needs less to reach as far.
        times = round(config.region.scale - OUTLINE_LESS, 3)
        parameters |= {"outline": times, "feather": config.region.feather}
    shapes: dict[str, Shape] = {"rectangle": "rectangle", "rounded": "rounded", "icon": "circle"}
    shape = shapes.get(config.mask.shape, "ellipse")
    return Step("mask", parameters, config.region.scale, shape), *_larger_masks(config)


def _avatar(config: RunConfig, method: MethodName) -> tuple[Step, ...]:
    return Step(method, dict(config.avatar.model_dump()), config.region.scale), *_larger_masks(config)


def _larger_masks(config: RunConfig) -> tuple[Step, Step]:
    return _solid(config.region.scale * 1.3, LIGHT), _solid(config.region.scale * 1.7, DARK)


def _cells(config: RunConfig, method: MethodName) -> tuple[Step, ...]:
    scale = config.region.scale
    first = Step(method, dict(getattr(config, method).model_dump()), scale)
    stronger = Step(method, {**first.parameters, "cells": max(1, first.parameters["cells"] // 2)}, scale * 1.1)
    return first, stronger, _pixelated(config), _solid(scale * 1.3, LIGHT)


def _synthetic(config: RunConfig, method: MethodName) -> tuple[Step, ...]:
    """Where a face cannot be drawn well it is blurred, coarsely: that can always be done, and looks calm."""
    scale, otherwise = config.region.scale, _blurred(config)
    own = config.synthetic
    parameters: dict[str, Any] = {"donors": own.donors, "k": own.k, "strength": own.strength}
    if own.generator != "none":
        parameters = {
            "generator": own.generator,
            "generator_model": own.generator_model,
            "strength": own.strength,
        }
    first = Step(method, parameters, scale, otherwise=otherwise)
    further = {**first.parameters, "strength": first.parameters["strength"] * 1.5}
    return first, Step(method, further, scale, otherwise=otherwise), _pixelated(config), _solid(scale * 1.3, LIGHT)


def _feature_preserving(config: RunConfig, method: MethodName) -> tuple[Step, ...]:
    """Half as strong again, then cells; what cannot be drawn well is blurred, as in :func:`_synthetic`."""
    scale, otherwise = config.region.scale, _blurred(config)
    strength = config.feature_preserving.strength
    first, further = (
        Step(method, {"strength": value}, scale, otherwise=otherwise) for value in (strength, 1.5 * strength)
    )
    return first, further, _pixelated(config), _solid(scale * 1.3, LIGHT)


def _blurred(config: RunConfig) -> Step:
    """One cell a face, smoothed: as little of the face as :func:`_pixelated` leaves."""
    return Step("blur", {**_pixelated(config).parameters, "sigma": config.blur.sigma}, config.region.scale * 1.1)


def _pixelated(config: RunConfig) -> Step:
    """One cell a face, at least so noisy."""
    own = config.pixelate
    coarse = {"cells": 1, "levels": 8, "noise": max(own.noise, 16.0), "surroundings": own.surroundings}
    return Step("pixelate", coarse, config.region.scale * 1.1)


def _solid(scale: float, colour: str) -> Step:
    return Step("mask", {"colour": colour, "icon": None}, scale, "rectangle")
