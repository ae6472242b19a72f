"""Lays original and all methods side by side, one row a face, for people to judge.

    make gallery PHOTOS=folder            or    .venv/bin/python scripts/make_gallery.py folder --out gallery.html

The page shows **originals**: keep it where the originals are, and never publish it.
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from jinja2 import Environment
from method_figures.subjects import Original, changed, originals

from photo_anonymizer.config import MethodName
from photo_anonymizer.model.pixels import Pixels

AROUND = 1.8
"""How much of the photo is shown, in boxes of the face."""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Gallery</title><style>
body{font:15px system-ui,sans-serif;margin:24px;color:#222;background:#fff}
p.warn{background:#b3261e;color:#fff;padding:10px 14px;border-radius:6px}
table{border-collapse:collapse}th{position:sticky;top:0;background:#fff;text-align:left;padding:6px 8px}
td{padding:4px}img{display:block;height:{{ height }}px;border-radius:4px}small{color:#666}</style>
<h1>What each method makes of {{ rows|length }} faces</h1>
<p class="warn">This page shows originals. Keep it private and delete it when you have decided.</p>
<table><tr><th>original</th>{% for method in methods %}<th>{{ method }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td><img alt="" src="data:image/jpeg;base64,{{ cell.data }}">
{% if cell.note %}<small>{{ cell.note }}</small>{% endif %}</td>{% endfor %}</tr>
{% endfor %}</table></html>
"""


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description="Original and all methods side by side.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/gallery.html"))
    parser.add_argument("--methods", nargs="+", choices=get_args(MethodName), default=list(get_args(MethodName)))
    parser.add_argument("--most", type=int, default=40, help="faces at most (default: 40)")
    parser.add_argument("--height", type=int, default=220, help="height of a picture in px (default: 220)")
    arguments = parser.parse_args()
    faces = list(originals(arguments.photos, smallest_px=16))[: arguments.most]
    if not faces:
        raise SystemExit("no face beyond doubt in that folder")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(page(faces, arguments.methods, arguments.height), encoding="utf-8")
    print(f"gallery: {arguments.out} (it shows originals: keep it private)")


def page(faces: list[Original], methods: list[MethodName], height_px: int) -> str:
    """The page's HTML, everything inside."""
    rows = [[{"data": shown(one, one.rgb, height_px), "note": ""}] for one in faces]
    for method in methods:
        for row, made in zip(rows, changed(faces, method), strict=True):
            why = made.patch.parameters.get("because", "")
            row.append({"data": shown(made.original, made.rgb, height_px), "note": why})
    return Environment(autoescape=True).from_string(PAGE).render(rows=rows, methods=methods, height=height_px)


def shown(one: Original, rgb: Pixels, height_px: int) -> str:
    """The face and what is around it, as base64 of a JPEG of that height."""
    box = one.face.box.scaled(AROUND).cover((rgb.shape[1], rgb.shape[0]))
    if box is None:
        raise ValueError("the face lies outside its photo")
    crop = rgb[box.slices]
    size = max(1, round(height_px * box.width / box.height)), height_px
    how = cv2.INTER_AREA if box.height > height_px else cv2.INTER_CUBIC
    written, data = cv2.imencode(".jpg", cv2.cvtColor(cv2.resize(crop, size, interpolation=how), cv2.COLOR_RGB2BGR))
    if not written:
        raise ValueError("OpenCV could not write a JPEG")
    return base64.b64encode(np.asarray(data).tobytes()).decode()


if __name__ == "__main__":
    main()
