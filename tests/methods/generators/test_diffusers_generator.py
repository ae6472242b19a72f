"""A user's diffusers pipeline: from a folder, verified, offline, with nothing but what it takes.

Our own code is run against a stand-in for the packages; where they are installed, a tiny pipeline is made and run.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.methods.generators.diffusers import (
    PACKAGES,
    Diffusers,
    folder_sha256,
    mesh_drawing,
    pose_words,
)
from photo_anonymizer.methods.generators.protocol import Scene
from photo_anonymizer.methods.generators.scene import scene_of
from subjects import subject

SIDE_PX = 64
INSTALLED = all(find_spec(name) for name in PACKAGES)
needs_packages = pytest.mark.skipif(not INSTALLED, reason=f"needs {', '.join(PACKAGES)}, which are optional")


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene(**turn: float) -> Scene:
    someone = subject(90, **turn)
    return scene_of(someone, someone.mesh.points.astype(np.float64), SIDE_PX, 1.6)


def described(folder: Path, **fields: Any) -> Path:
    """A description of the folder ``pipeline`` beside it."""
    pipeline = folder / "pipeline"
    values = {"path": "pipeline", "sha256": folder_sha256(pipeline), "licence": "CC0-1.0", "size_px": SIDE_PX, **fields}
    path = folder / "generator.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


# a stand-in for the packages


class Pipeline:
    """Answers noise that its own generator makes, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.blanked = False

    def set_progress_bar_config(self, **_: Any) -> None:
        """Nothing to hide."""

    def __call__(
        self, prompt: str, negative_prompt: str | None, image: Any, mask_image: Any, num_inference_steps: int,
        guidance_scale: float, width: int, height: int, generator: Any, output_type: str,
    ) -> Any:  # fmt: skip
        self.asked.append(dict(locals()))
        shown = generator.random((1, height, width, 3)).astype(np.float32)
        return SimpleNamespace(images=shown, nsfw_content_detected=[self.blanked])


class Seeded:
    """``torch.Generator``."""

    def __init__(self, device: str) -> None:
        assert device == "cpu"

    def manual_seed(self, seed: int) -> np.random.Generator:
        return np.random.default_rng(seed)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pipeline:
    """The stand-in's pipeline, and a folder for it."""
    made = Pipeline()

    def from_pretrained(folder: str, *, local_files_only: bool, use_safetensors: bool) -> Pipeline:
        assert local_files_only
        assert use_safetensors
        assert Path(folder, "model_index.json").is_file()
        return made

    modules = {name: ModuleType(name) for name in PACKAGES}
    modules["torch"].Generator = Seeded  # type: ignore[attr-defined]
    modules["diffusers"].AutoPipelineForInpainting = SimpleNamespace(from_pretrained=from_pretrained)  # type: ignore[attr-defined]
    quiet = SimpleNamespace(disable_progress_bar=lambda: None)
    for name in ("diffusers", "transformers"):
        modules[name].utils = SimpleNamespace(logging=quiet)  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    (tmp_path / "pipeline" / "unet").mkdir(parents=True)
    (tmp_path / "pipeline" / "model_index.json").write_text("{}")
    (tmp_path / "pipeline" / "unet" / "weights.safetensors").write_bytes(b"weights")
    return made


def test_it_is_tried_in_few_steps_and_asked_in_all_of_them(pipeline: Pipeline, tmp_path: Path) -> None:
    generator = Diffusers(described(tmp_path, steps=30))
    generator.generate(scene(), chance())
    assert [asked["num_inference_steps"] for asked in pipeline.asked] == [2, 30]


def test_it_is_shown_the_blanked_square_and_where_a_face_is_wanted(pipeline: Pipeline, tmp_path: Path) -> None:
    Diffusers(described(tmp_path, prompt="a face, {pose}", guidance=3)).generate(scene(yaw=0.5), chance())
    asked = pipeline.asked[-1]
    assert np.array_equal(np.asarray(asked["image"]), scene(yaw=0.5).picture)
    assert np.array_equal(np.asarray(asked["mask_image"]) == 255, scene(yaw=0.5).blank)
    assert asked["prompt"] == "a face, head turned to the right"
    assert (asked["guidance_scale"], asked["width"], asked["height"]) == (3, SIDE_PX, SIDE_PX)


def test_it_is_not_asked_for_what_it_does_not_take(pipeline: Pipeline, tmp_path: Path) -> None:
    Diffusers(described(tmp_path)).generate(scene(), chance())
    assert not {"control_image", "strength"} & set(pipeline.asked[-1])


def test_chance_comes_from_the_run_alone(pipeline: Pipeline, tmp_path: Path) -> None:
    generator = Diffusers(described(tmp_path))
    first, again, other = (generator.generate(scene(), chance(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (SIDE_PX, SIDE_PX, 3)
    assert 200 < first.max() <= 255


def test_a_picture_that_the_pipeline_itself_has_blanked_is_a_failure(pipeline: Pipeline, tmp_path: Path) -> None:
    generator = Diffusers(described(tmp_path))
    pipeline.blanked = True
    with pytest.raises(ValueError, match="blanked"):
        generator.generate(scene(), chance())


def test_one_that_does_not_answer_is_refused_before_the_first_photo(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.blanked = True
    with pytest.raises(ConfigError, match="does not run as it is described"):
        Diffusers(described(tmp_path))


@pytest.mark.usefixtures("pipeline")
def test_an_altered_folder_is_refused(tmp_path: Path) -> None:
    path = described(tmp_path)
    (tmp_path / "pipeline" / "unet" / "weights.safetensors").write_bytes(b"others")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        Diffusers(path)


@pytest.mark.usefixtures("pipeline")
def test_a_folder_that_holds_no_pipeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pipeline" / "model_index.json").unlink()
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        Diffusers(described(tmp_path))


@pytest.mark.usefixtures("pipeline")
def test_what_diffusers_cannot_load_is_refused_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: str, **_: Any) -> None:
        raise OSError(f"no file in {folder}")

    monkeypatch.setattr(sys.modules["diffusers"], "AutoPipelineForInpainting", SimpleNamespace(from_pretrained=fails))
    with pytest.raises(ModelError, match="no inpainting pipeline") as caught:
        Diffusers(described(tmp_path))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("missing", PACKAGES)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=rf"needs the package {missing}.*pip install diffusers torch transformers"):
        Diffusers(described(tmp_path))


def test_nothing_of_it_is_imported_by_runs_that_do_not_ask() -> None:
    code = "import sys, photo_anonymizer.stages, photo_anonymizer.methods.generators.diffusers as _; " + (
        f"print([name for name in {PACKAGES!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# the folder's hash


def folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


FILES = {"model_index.json": b"{}", "unet/b.safetensors": b"b", "unet/a.json": b"a", "Z.txt": b"z"}


def test_a_folders_hash_is_what_the_shell_command_of_the_documentation_prints(tmp_path: Path) -> None:
    made = folder(tmp_path / "x", {**FILES, ".cache/x": b"hidden", "unet/.lock": b"hidden"})
    command = r"find . -type f -not -path '*/.*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    done = subprocess.run(["sh", "-c", command], cwd=made, capture_output=True, text=True, check=True)
    assert folder_sha256(made) == done.stdout.split()[0]


@pytest.mark.parametrize(
    "change",
    [{"unet/a.json": b"A"}, {"unet/c.json": b""}, {"model_index.json": b"{ }"}],
)
def test_a_folders_hash_changes_with_every_file(tmp_path: Path, change: dict[str, bytes]) -> None:
    one, other = folder(tmp_path / "one", FILES), folder(tmp_path / "other", {**FILES, **change})
    assert folder_sha256(one) != folder_sha256(other)
    assert folder_sha256(one) == folder_sha256(folder(tmp_path / "again", FILES))


def test_a_folders_hash_changes_with_a_name(tmp_path: Path) -> None:
    renamed = {("unet/c.json" if name == "unet/a.json" else name): data for name, data in FILES.items()}
    assert folder_sha256(folder(tmp_path / "one", FILES)) != folder_sha256(folder(tmp_path / "other", renamed))


# what it is told


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ({}, "facing the camera"),
        ({"yaw": -0.5}, "head turned to the left"),
        ({"pitch": 0.4}, "looking down"),
        ({"yaw": 0.5, "pitch": -0.4}, "head turned to the right, looking up"),
    ],
)
def test_the_heads_turn_is_put_in_words(turn: dict[str, float], words: str) -> None:
    assert pose_words(scene(**turn)) == words


def test_the_mesh_is_drawn_where_its_points_are() -> None:
    someone = subject(90)
    shown = scene_of(someone, someone.mesh.points.astype(np.float64), 256, 1.6)
    drawing = mesh_drawing(shown)
    assert drawing.shape == (256, 256, 3)
    x, y = shown.points[152].astype(int)  # the chin, on the outline
    assert drawing[y - 2 : y + 3, x - 2 : x + 3].max(axis=(0, 1)).tolist() == [10, 200, 10]
    assert not drawing[~shown.blank].any()
    left, right = (drawing[..., channel] > 170 for channel in (0, 2))
    assert np.argwhere(left)[:, 1].mean() < 128 < np.argwhere(right)[:, 1].mean()


# the real thing


def tiny(folder: Path, *, controlled: bool) -> None:
    """Saves an inpainting pipeline with random weights, a few hundred kB."""
    import torch
    from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
    from diffusers import StableDiffusionControlNetInpaintPipeline as Controlled
    from diffusers import StableDiffusionInpaintPipeline as Plain
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    words = {word: number for number, word in enumerate(["<|startoftext|>", "<|endoftext|>", "a</w>", "f", "e</w>"])}
    vocabulary, merges = folder.with_name("vocab.json"), folder.with_name("merges.txt")
    vocabulary.write_text(json.dumps(words))
    merges.write_text("#version: 0.2\n")
    sizes = {"block_out_channels": (8, 16), "norm_num_groups": 4, "layers_per_block": 1}
    attention = {"cross_attention_dim": 16, "attention_head_dim": 4}
    down, up = ("DownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")
    coder_down, coder_up = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
    latents = 4 if controlled else 9  # with the mask and the masked picture
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    parts: dict[str, Any] = {
        "vae": AutoencoderKL(down_block_types=coder_down, up_block_types=coder_up, latent_channels=4, **sizes),
        "text_encoder": CLIPTextModel(CLIPTextConfig(vocab_size=len(words), **text, **ends)),
        "tokenizer": CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77),
        "unet": UNet2DConditionModel(64, latents, 4, down_block_types=down, up_block_types=up, **sizes, **attention),
        "scheduler": DDIMScheduler(steps_offset=1, clip_sample=False),
        "safety_checker": None,
        "feature_extractor": None,
    }
    if controlled:
        parts["controlnet"] = ControlNetModel(
            4, down_block_types=down, conditioning_embedding_out_channels=(4, 8), **sizes, **attention
        )
    (Controlled if controlled else Plain)(**parts).save_pretrained(folder, safe_serialization=True)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing may be downloaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@needs_packages
@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("controlled", [False, True])
def test_a_real_pipeline_makes_a_face_and_the_same_again(tmp_path: Path, controlled: bool) -> None:
    tiny(tmp_path / "pipeline", controlled=controlled)
    generator = Diffusers(described(tmp_path, steps=2))
    first, again, other = (generator.generate(scene(), chance(seed)) for seed in (1, 1, 2))
    assert first.shape == (SIDE_PX, SIDE_PX, 3)
    assert 0 <= first.min() < first.max() <= 255
    assert np.array_equal(first, again)
    assert np.abs(first - other)[scene().blank].mean() > 0.1


@needs_packages
@pytest.mark.usefixtures("offline")
def test_a_real_pipeline_with_a_controlnet_sees_the_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from diffusers import ControlNetModel

    seen: list[Any] = []
    forward = ControlNetModel.forward

    def watched(self: Any, *given: Any, **named: Any) -> Any:
        seen.append(named["controlnet_cond"])
        return forward(self, *given, **named)

    monkeypatch.setattr(ControlNetModel, "forward", watched)
    tiny(tmp_path / "pipeline", controlled=True)
    Diffusers(described(tmp_path, steps=1)).generate(scene(), chance())
    shown = (seen[-1][-1].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    assert np.abs(shown.astype(int) - mesh_drawing(scene())).max() <= 1


@needs_packages
def test_weights_that_are_pickles_are_refused(tmp_path: Path) -> None:
    tiny(tmp_path / "pipeline", controlled=False)
    weights = tmp_path / "pipeline" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match="weights as safetensors"):
        Diffusers(described(tmp_path))
