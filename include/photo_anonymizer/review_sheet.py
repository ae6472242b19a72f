"""The contact sheet of a review: every face that waits, on one page that needs nothing besides itself."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.files import written
from photo_anonymizer.model.face import Doubt
from photo_anonymizer.pages import jpeg_uri, templates_in
from photo_anonymizer.review import Verdict, waiting
from photo_anonymizer.vault import Vault


@dataclass(frozen=True)
class Card:
    """A face that waits, as the sheet shows it."""

    photo_id: str
    face_id: str
    picture: str
    """``data:`` URI; empty when there is no picture."""
    reasons: tuple[tuple[str, str], ...]
    """(Word, meaning)."""
    probability: float
    size: str
    scores: tuple[tuple[str, str], ...]
    """(Who looked, what it says)."""
    commands: tuple[tuple[str, str], ...]
    """(Verdict, command that records it)."""


def write_sheet(config: RunConfig, target: Path | None = None) -> Path:
    """Writes the sheet, for its owner's eyes only (0600), and returns where it is.

    :param config: of the dataset.
    :param target: somewhere else than in the vault, where the sheet goes as soon as the queue changes.
    :raises ConfigError: the target lies among the releases, or its folder is not there.
    """
    vault = Vault.of(config)
    path = target or vault.review_sheet_path
    root = Path(config.out).absolute()
    if path.resolve().is_relative_to((root / "releases").resolve()):
        raise ConfigError("the sheet shows clear faces: write it anywhere but among the releases")
    if not path.parent.is_dir():
        raise ConfigError("the folder of the sheet is not there; make it, or name another")
    # Nothing on the queue may change meanwhile, or the sheet would show what was just deleted.
    with vault.locked(), written(path) as temporary:
        rows = waiting(vault)
        page = _template().stream(dataset=config.dataset, count=len(rows), cards=_cards(vault, rows, root, config))
        with temporary.open("w", encoding="utf-8") as stream:
            page.dump(stream)
    return path


def _template() -> Any:
    return templates_in(Path(__file__).parent).get_template("review_sheet.html.j2")


def _cards(vault: Vault, rows: Sequence[Mapping[str, Any]], out: Path, config: RunConfig) -> Iterator[Card]:
    """One by one: the pictures of thousands of faces need not be in memory together."""
    decide = f"photo-anonymizer review --out {shlex.quote(str(out))} --dataset {config.dataset} --decide"
    for row in rows:
        yield card(row, jpeg_uri((vault.path / row["picture"]).read_bytes()) if row["picture"] else "", decide)


def card(row: Mapping[str, Any], picture: str, decide: str) -> Card:
    """What the sheet says about a row of the queue.

    :param picture: ``data:`` URI or empty.
    :param decide: the command up to ``--decide``.
    """
    ids = f"{row['photo_id']} {row['face_id']}"
    return Card(
        photo_id=row["photo_id"],
        face_id=row["face_id"],
        picture=picture,
        reasons=tuple((word, _meaning(word)) for word in row["reasons"]),
        probability=row["score"],
        size=f"{row['width']:.0f} × {row['height']:.0f} px",
        scores=tuple(_opinions(row)),
        commands=tuple((verdict, f"{decide} {ids} {verdict}") for verdict in get_args(Verdict)),
    )


def _meaning(word: str) -> str:
    return Doubt(word).meaning if word in set(Doubt) else ""


def _opinions(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, score in sorted(row["scores"].items(), key=lambda item: -item[1]):
        yield name, f"{score:.2f}" if score else "saw nothing"
    if row["mesh_logit"] is not None:
        yield "face mesh", "a face" if row["mesh_logit"] > 0 else "no face"
