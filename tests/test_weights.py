"""No model is used that is not the registered file, and a conversion is made once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from photo_anonymizer import weights
from photo_anonymizer.errors import ModelError
from photo_anonymizer.weights import Weights

CONVERTER = """
import pathlib, sys, time
source, target = map(pathlib.Path, sys.argv[1:])
with (source.parent / "calls").open("a") as calls:
    calls.write("x")
time.sleep(0.2)
target.write_bytes(b"converted " + source.read_bytes())
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    """One registered model whose file and converter are made here; the cache is ``tmp_path/cache``."""
    source = tmp_path / "package" / "model.bin"
    source.parent.mkdir()
    source.write_bytes(b"weights")

    def register(converter: str = CONVERTER, **changes) -> Weights:
        (tmp_path / "converter_of_a_test.py").write_text(converter)
        made = Weights(
            name="fake",
            package="fake-package",
            pin="1.2.3",
            file="model.bin",
            sha256=hashlib.sha256(b"weights").hexdigest(),
            licence="CC0-1.0",
            use="tests",
            convert="converter_of_a_test",
        )
        made = replace(made, **changes)
        monkeypatch.setattr(weights, "registered", lambda: {"fake": made})
        return made

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "_locate", lambda _weights: source if source.is_file() else None)
    register()
    return register


@pytest.fixture
def source(tmp_path) -> Path:
    return tmp_path / "package" / "model.bin"


def calls(source: Path) -> int:
    path = source.parent / "calls"
    return len(path.read_text()) if path.exists() else 0


# the registered files


@pytest.mark.parametrize("name", weights.registered())
def test_every_registered_model_is_the_file_that_its_package_ships(name):
    assert weights.path_of(name).is_file()
    assert weights.state_of(weights.registered()[name]) == "present"


@pytest.mark.parametrize("item", weights.registered().values(), ids=lambda item: item.name)
def test_every_registered_model_says_where_it_comes_from(item):
    assert len(item.sha256) == 64
    assert item.licence
    assert item.pin
    assert item.use


@pytest.mark.parametrize("item", weights.registered().values(), ids=lambda item: item.name)
def test_every_registered_model_is_pinned_to_the_installed_package(item):
    assert item.pin == weights.metadata.version(item.package)


@pytest.mark.parametrize("ask", [weights.path_of, weights.onnx_path_of])
def test_an_unknown_model_lists_the_known_ones(ask):
    with pytest.raises(ModelError, match="unknown model 'none'; registered are: dlib_5_points"):
        ask("none")


@pytest.mark.parametrize("ask", [weights.path_of, weights.onnx_path_of])
def test_a_missing_package_says_what_to_install(ask, monkeypatch, tmp_path):
    gone = replace(weights.registered()["retinaface"], package="no-such-package-7413")
    monkeypatch.setattr(weights, "registered", lambda: {"retinaface": gone})
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(ModelError, match=r"no-such-package-7413==1\.1\.1"):
        ask("retinaface")
    assert weights.state_of(gone) == "missing"


@pytest.mark.parametrize("ask", [weights.path_of, weights.onnx_path_of])
def test_a_package_without_the_file_is_refused(ask, model, source):
    source.unlink()
    with pytest.raises(ModelError, match=r"'fake' is missing: install fake-package==1\.2\.3"):
        ask("fake")


@pytest.mark.parametrize("ask", [weights.path_of, weights.onnx_path_of])
@pytest.mark.parametrize("content", [b"Weights", b"weights ", b"weight", b""])
def test_an_altered_file_is_refused(ask, model, source, content):
    source.write_bytes(content)
    with pytest.raises(ModelError, match="'fake' is not the registered file"):
        ask("fake")
    assert weights.state_of(weights.registered()["fake"]) == "altered"
    assert calls(source) == 0


def test_one_byte_of_a_real_model_is_enough(monkeypatch, tmp_path):
    data = bytearray(weights.path_of("pose_detection").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "copy").write_bytes(data)
    monkeypatch.setattr(weights, "_locate", lambda _weights: tmp_path / "copy")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        weights.path_of("pose_detection")


# conversions


def test_a_conversion_is_made_once(model, source, tmp_path):
    first = weights.onnx_path_of("fake")
    assert first.read_bytes() == b"converted weights"
    assert first.parent == tmp_path / "cache"
    assert weights.onnx_path_of("fake") == first
    assert calls(source) == 1


def test_a_new_source_gets_a_conversion_of_its_own(model, source):
    first = weights.onnx_path_of("fake")
    source.write_bytes(b"new weights")
    model(sha256=hashlib.sha256(b"new weights").hexdigest())
    assert weights.onnx_path_of("fake") != first
    assert weights.onnx_path_of("fake").read_bytes() == b"converted new weights"


def test_an_altered_conversion_is_refused_until_it_is_deleted(model):
    target = weights.onnx_path_of("fake")
    target.write_bytes(b"Converted weights")
    with pytest.raises(ModelError, match="was changed on disk; delete"):
        weights.onnx_path_of("fake")
    target.unlink()
    assert weights.onnx_path_of("fake").read_bytes() == b"converted weights"


def test_a_conversion_without_its_note_is_made_again(model, source):
    target = weights.onnx_path_of("fake")
    target.write_bytes(b"something else")
    target.with_suffix(".sha256").unlink()
    assert weights.onnx_path_of("fake").read_bytes() == b"converted weights"
    assert calls(source) == 2


@pytest.mark.parametrize(
    ("converter", "message"),
    [
        ("raise ValueError('strange network')", "ValueError: strange network"),
        ("import os; os._exit(3)", "no message"),
        ("pass", "no message"),
        ("import no_such_module_7413", "no_such_module_7413"),
    ],
)
def test_a_conversion_that_fails_says_why_and_leaves_nothing(model, tmp_path, converter, message):
    model(converter)
    with pytest.raises(ModelError, match=f"'fake' could not be converted: .*{message}"):
        weights.onnx_path_of("fake")
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".lock"}
    model()
    assert weights.onnx_path_of("fake").is_file()


def test_threads_that_ask_at_once_convert_once(model, source):
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(weights.onnx_path_of, ["fake"] * 4))
    assert len(paths) == 1
    assert calls(source) == 1


ASK = """
import sys
from pathlib import Path
from photo_anonymizer import weights
made = weights.Weights("fake", "p", "1", "f", sys.argv[2], "l", "u", "converter_of_a_test")
weights.registered = lambda: {"fake": made}
weights._locate = lambda _weights: Path(sys.argv[1])
weights.onnx_path_of("fake")
"""


def test_processes_that_ask_at_once_convert_once(model, source):
    command = [sys.executable, "-c", ASK, str(source), hashlib.sha256(b"weights").hexdigest()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    asking = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [child.wait(60) for child in asking] == [0, 0, 0]
    assert calls(source) == 1


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "here"))
    assert weights.cache_folder() == tmp_path / "here"
    monkeypatch.setenv(weights.CACHE_VARIABLE, "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights.cache_folder() == tmp_path / ".cache" / "photo-anonymizer"


@pytest.mark.parametrize("convert", [None, "converter_of_a_test"])
def test_preparing_verifies_and_converts_everything(model, source, convert):
    model(convert=convert)
    weights.prepare_all()
    assert calls(source) == (1 if convert else 0)
    source.write_bytes(b"other")
    model(convert=convert, sha256=hashlib.sha256(b"third").hexdigest())
    with pytest.raises(ModelError):
        weights.prepare_all()
