"""Pictures of an animation as a viewer shows them: drawn step by step on a transparent canvas.

Sources: GIF89a section 23 (disposal), PNG third edition section 11.3.6.2 (``fcTL``), RFC 9649 section 2.7.1.1
(``ANMF``). Where these ask for a background colour, browsers show transparency, and so does this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from photo_anonymizer.metadata.readers.container import Layer

_NOTHING = (0, 0, 0, 0)


def needed(steps: Sequence[Layer], canvas_wh: tuple[int, int]) -> tuple[Layer, ...]:
    """The steps that can still be seen when the last one is drawn.

    Steps that are undone leave no trace, and a step that fills or clears the whole canvas hides all before it.
    """
    wanted: list[Layer] = []
    for step in reversed(steps):
        whole = (step.width, step.height) == canvas_wh
        if wanted and step.after == "undo":
            continue
        if wanted and step.after == "clear" and whole:
            break
        wanted.append(step)
        if whole and not step.over:
            break
    return tuple(reversed(wanted))


def drawn(steps: Sequence[Layer], canvas_wh: tuple[int, int], decode: Callable[[bytes], Image.Image]) -> Image.Image:
    """The canvas after the last step: mode RGBA, or LA if every step is grey.

    :param decode: makes an 8 bit picture of a step's ``clean``.
    """
    canvas = Image.new("RGBA", canvas_wh, _NOTHING)
    grey = True
    for number, step in enumerate(steps, start=1):
        picture = decode(step.clean)
        grey = grey and picture.mode in ("L", "LA")
        area = (step.x, step.y, step.x + step.width, step.y + step.height)
        if step.over:
            canvas.alpha_composite(picture.convert("RGBA"), area[:2])
        else:
            canvas.paste(picture.convert("RGBA"), area)
        if step.after == "clear" and number < len(steps):
            canvas.paste(_NOTHING, area)
    return canvas.convert("LA") if grey else canvas
