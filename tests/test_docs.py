"""What the documentation points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from photo_anonymizer.methods.generators.diffusers import DiffusersDescription
from photo_anonymizer.methods.generators.onnx import OnnxDescription
from photo_anonymizer.model.record import Reason
from photo_anonymizer.modelfile import read_described

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)")


def broken_links(page: Path) -> list[str]:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    return [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("[there](page.md) [not there](missing.md)")
    assert broken_links(tmp_path / "page.md") == ["missing.md"]


def test_the_runbook_explains_every_reason_and_none_besides() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("| reason |") :]
    explained = set(
        re.findall(r"`([a-z_]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    )
    assert explained == {str(reason) for reason in Reason}


@pytest.mark.parametrize(("name", "kind"), [("onnx", OnnxDescription), ("diffusers", DiffusersDescription)])
def test_the_descriptions_of_generators_that_are_shown_can_be_used(tmp_path: Path, name: str, kind: type) -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    (shown,) = re.findall(rf"```yaml\n(# {name}\n.*?)```", text, re.DOTALL)
    (tmp_path / "generator.yaml").write_text(shown, encoding="utf-8")
    assert read_described(tmp_path / "generator.yaml", kind, "a generator").size_px in (256, 512)


def test_the_command_that_hashes_a_folder_is_the_one_that_is_tested() -> None:
    command = "find . -type f -not -path '*/.*' -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    tests = (ROOT / "tests" / "methods" / "generators" / "test_diffusers_generator.py").read_text(encoding="utf-8")
    assert command in (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert command in tests
