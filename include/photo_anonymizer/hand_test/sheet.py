"""The sheet of a hand test: one page that needs nothing besides itself, and does not know the right answers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from photo_anonymizer.config import RunConfig
from photo_anonymizer.files import read_json, write_bytes
from photo_anonymizer.hand_test.draw import Key, Triplet, draw
from photo_anonymizer.pages import as_jpeg, jpeg_uri, templates_in
from photo_anonymizer.vault import Vault

_QUALITY = 88


def write_sheet(config: RunConfig, triplets: int, another_photo: bool) -> Path:
    """Draws the questions and writes the sheet into the vault (0600), in place of an earlier one; returns where it is.

    :raises ConfigError, SourceError, ReleaseError: as :func:`~.draw.draw`.
    """
    key, asked = draw(config, triplets, another_photo)
    page = render(config.dataset, key, asked)
    vault = Vault.of(config)
    with vault.locked():
        vault.forget_hand_test()
        write_bytes(vault.hand_test_key_path, key.model_dump_json(indent=1).encode())
        write_bytes(vault.hand_test_sheet_path, page.encode())
    return vault.hand_test_sheet_path


def answers_file(config: RunConfig) -> str:
    """What the browser will call the answers to the sheet that lies in the vault."""
    return Key.model_validate(read_json(Vault.of(config).hand_test_key_path)).answers_file


def render(dataset: str, key: Key, asked: Sequence[Triplet]) -> str:
    """The page as HTML."""
    environment = templates_in(Path(__file__).parent)
    script = environment.get_template("sheet.js.j2").render(
        test=key.test, answers_file=key.answers_file, count=len(asked), dataset=dataset
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page: str = environment.get_template("sheet.html.j2").render(
        dataset=dataset,
        version=key.version,
        another_photo=key.another_photo,
        script=script,
        script_sha256=digest,
        triplets=[
            tuple(jpeg_uri(as_jpeg(picture, _QUALITY)) for picture in (one.published, one.a, one.b)) for one in asked
        ],
    )
    return page
