"""The configuration of a run: one validated model that the trigger form, the command line and the release share.

Defaults stand here and nowhere else, and they are the conservative ones. Everything is refused before the first
photo is read: an unknown field, a value out of range, a combination that makes no sense.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from photo_anonymizer.errors import ConfigError

MethodName = Literal["blur", "pixelate", "mask", "avatar", "synthetic", "feature_preserving"]
DESTROYS: tuple[MethodName, ...] = ("mask", "avatar")
"""Methods that leave nothing of the face's pixels."""
STRONGER = "stronger"
"""The run's own method once more, stronger: a word of the ladder beside the methods' names."""
MAX_RUNGS = 6
KEEPS_HAIR: tuple[MethodName, ...] = ("synthetic", "feature_preserving")
"""Methods that follow the face's outline, which cannot cover the hair as well."""
Colour = Annotated[str, Field(pattern=r"^(#[0-9a-fA-F]{6}|local)$")]
DRAWN_ICONS = ("smile", "neutral", "star", "heart", "cat", "robot")
"""Icons that this project draws itself; whatever else an icon is called is a file of the user's."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestConfig(_Section):
    """Reading: the limits under which photos are read."""

    max_file_mb: float = Field(200, gt=0, le=4096, description="Larger files are rejected unread (megabytes).")
    max_megapixels: float = Field(
        120, gt=0, le=1000, description="Larger pictures are rejected before they are decoded (megapixels)."
    )
    max_decode_s: float = Field(
        45, gt=0, le=3600, description="A picture that is not decoded after this time is rejected (seconds)."
    )
    max_decode_mb: int = Field(
        4096, ge=512, le=1_000_000, description="Memory that decoding one picture may take (megabytes)."
    )
    several_pictures: Literal["split", "hold"] = Field(
        "split",
        description="Files with several pictures (animations, pages, stereo pairs): every picture becomes a photo of "
        "its own, or the file is held.",
    )
    max_frames: int = Field(100, ge=1, le=10_000, description="Files with more pictures than this are held.")
    max_archive_files: int = Field(
        200_000, ge=1, le=10_000_000, description="Archives with more members than this are refused."
    )
    max_archive_ratio: float = Field(
        200,
        ge=2,
        le=10_000,
        description="Members of an archive that unpack to more than so many times their size are rejected unread.",
    )
    incremental: bool = Field(
        True,
        description="Take over what an earlier version holds, if neither photo, configuration, software nor decisions "
        "have changed, and work only on the rest.",
    )
    shard_size: int = Field(100, ge=1, le=1000, description="Photos a task works on; smaller means finer retries.")


class MetadataConfig(_Section):
    """Metadata: what a published file may carry, and how it is written."""

    output_format: Literal["same", "jpeg", "png", "webp"] = Field(
        "same",
        description="Format of the published files. 'same' keeps the input's where it can be written clean (JPEG, PNG, "
        "WebP, TIFF, AVIF); GIF and BMP become PNG, HEIC and JPEG 2000 become JPEG.",
    )
    quality: int = Field(92, ge=50, le=100, description="Quality of lossy files whose input has no setting to follow.")
    reencode: bool = Field(
        False,
        description="Write every file anew from its pixels with this project's own settings, also where it could stay "
        "as it is: removes quantisation tables that hint at a camera.",
    )
    keep_capture_year: bool = Field(
        False, description="Publish the year in which a photo was taken, in photos.parquet (never in the file)."
    )
    keep_exposure: bool = Field(
        False,
        description="Publish the exposure in whole stops (exposure value at ISO 100), in the table photos.parquet.",
    )
    second_reader: Literal["auto", "require", "off"] = Field(
        "auto",
        description="exiftool reads every file before it is published: where it is installed, always (without it no "
        "run starts), or never.",
    )

    @property
    def kept(self) -> list[str]:
        """The allow-list: what is published of a photo's metadata, as columns of photos.parquet."""
        allowed = {"capture_year": self.keep_capture_year, "exposure_ev": self.keep_exposure}
        return [name for name, wanted in allowed.items() if wanted]


class DetectionConfig(_Section):
    """Face detection: how faces are looked for, and what happens to doubt."""

    detectors: str = Field(
        "retinaface",
        pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$",
        description="Who looks for faces, separated by commas: retinaface, mediapipe_full_range, "
        "mediapipe_short_range, mtcnn, dlib_hog, dlib_cnn (slow), yunet, user_onnx. What several see is merged, and "
        "the two scores below are then probabilities.",
    )
    yunet_model: str | None = Field(
        None, description="For yunet: a YAML file with path, sha256 and licence of your YuNet ONNX file."
    )
    user_model: str | None = Field(
        None, description="For user_onnx: a YAML file that describes an ONNX face detector of your own."
    )
    given_boxes: str | None = Field(
        None,
        description="Faces that somebody has marked: a COCO file (.json), a table (.csv) or a folder of .faces.csv "
        "files. They are added to what the detectors find.",
    )
    backend: Literal["onnxruntime", "tensorflow"] = Field(
        "onnxruntime",
        description="Runtime of the RetinaFace network. Both give the same boxes; TensorFlow starts slower.",
    )
    effort: Literal["fast", "balanced", "thorough"] = Field(
        "balanced",
        description="How hard is looked: fast for first drafts, balanced finds faces that somebody could recognise, "
        "thorough also tiny ones, in several sizes, mirrored and turned, at about ten times the time.",
    )
    accept_score: float = Field(
        0.8, gt=0, le=1, description="From this probability on a finding is a face beyond doubt."
    )
    doubt_score: float = Field(
        0.35,
        gt=0,
        le=1,
        description="Between this probability and the upper one a finding is anonymized too, and reviewed.",
    )
    long_side_px: int | None = Field(
        None,
        ge=320,
        le=4096,
        multiple_of=32,
        description="Photos are scaled so that their long side is this (pixels). Empty: what the effort says.",
    )
    max_enlargement: float | None = Field(
        None,
        ge=1,
        le=8,
        description="Small photos are enlarged at most so many times before faces are looked for. Empty: by effort.",
    )
    smallest_face_px: int | None = Field(
        None,
        ge=8,
        le=1000,
        description="Faces from this height on must reach the network at a size that it sees: large photos are "
        "searched in tiles too (pixels). Smaller means more tiles and more time. Empty: by effort.",
    )
    min_recognisable_px: int = Field(
        10,
        ge=1,
        le=100,
        description="Doubtful faces below this height are anonymized, but do not hold a photo: nobody could be "
        "recognised by them (pixels).",
    )
    uncertain: Literal["release", "hold"] = Field(
        "release",
        description="Photos with a doubtful (and anonymized) face: publish meanwhile, or hold until somebody decides.",
    )
    person_without_face: Literal["hold", "release"] = Field(
        "hold",
        description="Photos that show a person with no face near the head: hold them, or release them because backs of "
        "heads are fine.",
    )
    person_score: float = Field(
        0.2,
        gt=0,
        le=1,
        description="From this score on a body without a face counts as a person. Lower finds more of them, and holds "
        "more photos without anybody.",
    )
    max_faces: int = Field(5000, ge=1, le=100000, description="Photos with more faces than this are held.")

    @property
    def detector_names(self) -> tuple[str, ...]:
        """The detectors, each once, in the order given."""
        return tuple(dict.fromkeys(self.detectors.split(",")))

    @model_validator(mode="after")
    def _bands(self) -> DetectionConfig:
        if self.doubt_score > self.accept_score:
            raise ValueError("doubt_score must not be above accept_score")
        return self


class ConsentConfig(_Section):
    """Consent: people who agreed to be shown. Their faces stay as they are; off unless one of the lists is given."""

    regions: str | None = Field(
        None,
        description="Faces that stay as they are, marked by hand: a COCO file (.json), a table (.csv) or a folder of "
        ".faces.csv files. Photos are named by their whole path below the source.",
    )
    people: str | None = Field(
        None,
        description="A folder with photos of the people who agreed, one face in each; several photos of one person in "
        "a folder of their own. Faces that the recogniser takes for one of them stay as they are.",
    )
    max_distance: float = Field(
        0.4,
        gt=0,
        le=0.6,
        description="How near to a photo of somebody who agreed a face must be (dlib's distance; 0.6 is its usual "
        "limit for the same person). Smaller is stricter.",
    )


class RegionConfig(_Section):
    """Region: the part of the photo that changes for a face."""

    scale: float = Field(
        1.35,
        ge=1.2,
        le=3,
        description="The region is the detected box times this, turned with the head: forehead, ears and jaw included.",
    )
    hair: bool = Field(
        False,
        description="Cover the hair too: the region grows upwards and sideways to cover a usual hairstyle.",
    )
    feather: float = Field(
        0.08,
        ge=0,
        le=0.5,
        description="Width of the soft edge, outside the region, as a share of the face's width.",
    )


class _CellsConfig(_Section):
    cells: int = Field(1, ge=1, le=8, description="Cells across the face that survive. More show more of the face.")
    levels: int = Field(8, ge=2, le=64, description="Grey levels that a cell's brightness is rounded to.")
    noise: float = Field(
        32,
        ge=0,
        le=64,
        description="Standard deviation of the noise added to a cell's brightness (0–255), drawn anew for every face.",
    )
    surroundings: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of every cell's brightness that comes from around the face; at 1 nothing of it is left.",
    )


class BlurConfig(_CellsConfig):
    """Blur: few noisy cells, smoothed."""

    sigma: float = Field(0.6, gt=0, le=4, description="Sigma of the Gaussian that smooths the cells, in cell widths.")


class PixelateConfig(_CellsConfig):
    """Pixelation: few noisy cells, as they are."""


class MaskConfig(_Section):
    """Mask: an opaque shape that takes nothing from the face."""

    shape: Literal["ellipse", "rectangle", "rounded", "outline", "icon"] = Field(
        "ellipse",
        description="What covers the face; 'outline' follows the face's own contour where that is seen well enough, "
        "and is an ellipse elsewhere.",
    )
    colour: Colour = Field(
        # Behind dark grey a recogniser sees more of what is around the face, and a parrot names more people (31 % and
        # not 18 %, scripts/measure_attacks.py); behind light grey it sees an empty picture, which one or two faces in
        # a hundred lie near by accident.
        "#c0c0c0",
        description="Colour of the shape, or behind the icon; 'local': the rounded mean of what surrounds the face.",
    )
    icon: str | None = Field(
        None,
        description="For shape 'icon': smile, neutral, star, heart, cat, robot, or a PNG or SVG file of your own; "
        "empty: smile.",
    )

    @property
    def icon_name(self) -> str:
        """The icon's name or file."""
        return self.icon or DRAWN_ICONS[0]

    @property
    def users_icon(self) -> str | None:
        """The icon's file, if it is the user's own."""
        return None if self.icon in DRAWN_ICONS else self.icon


class AvatarConfig(_Section):
    """Avatar: the same drawn head for everybody, turned and lit as the photo's head is."""

    style: Literal["head", "silhouette"] = Field(
        "head", description="A head with a neutral face, or the plain outline of head and neck."
    )


class SyntheticConfig(_Section):
    """Synthetic: a face of nobody, in the pose and light of the one that it replaces."""

    donors: Literal["auto", "bank", "batch", "rendered"] = Field(
        "auto",
        description="Where new faces come from: a bank of consenting or generated donors (recommended for public "
        "releases), averages of other people of the batch, or drawn. auto: the bank if there is one, else the batch "
        "for faces that enough people suit, else drawn.",
    )
    bank: str | None = Field(
        None, description="A YAML file with path, sha256 and licence of a bank that prepare_donors has made."
    )
    k: int = Field(
        10, ge=5, le=100, description="How many different people an averaged face is made of, with equal shares."
    )
    consistency: Literal["fresh", "per_run"] = Field(
        "fresh",
        description="fresh: every face in every photo is another nobody. per_run: a person gets the same new face in "
        "all photos of a run, which links those photos to each other.",
    )
    strength: float = Field(
        1.0,
        ge=0,
        le=2,
        description="How far eyes, brows, nose and mouth move from where they were; 1 is as far as adults differ.",
    )
    generator: Literal["none", "onnx", "diffusers"] = Field(
        "none",
        description="A neural inpainter or face generator of yours that makes the faces instead of donors and drawing: "
        "an ONNX network, or a folder that the package diffusers loads.",
    )
    generator_model: str | None = Field(None, description="For a generator: a YAML file that describes your model.")

    @model_validator(mode="after")
    def _files(self) -> SyntheticConfig:
        if self.donors == "bank" and not self.bank:
            raise ValueError("bank: name the bank's YAML file, or choose other donors")
        if (self.generator == "none") != (not self.generator_model):
            raise ValueError("generator and generator_model: give both, or neither")
        return self


class FeaturePreservingConfig(_Section):
    """Feature-preserving: the person's own face with other proportions and another skin."""

    strength: float = Field(
        1.0,
        ge=0,
        le=2,
        description="How much the face changes: 0.5 is a relative, 1 somebody else, more is further than most adults "
        "differ.",
    )


class ResidualConfig(_Section):
    """Residual cues: what else around a face is flattened because it may identify."""

    enabled: Literal["auto", "on", "off"] = Field(
        "auto", description="'auto' is on for a public release and off for internal review."
    )
    min_face_px: int = Field(24, ge=8, le=1000, description="Faces with a smaller height get no cue search (pixels).")
    strength: float = Field(
        0.5, ge=0, le=1, description="0 flattens only the strongest patterns, 1 all but the plainest cloth."
    )

    @field_validator("enabled", mode="before")
    @classmethod
    def _as_yaml_reads_it(cls, value: Any) -> Any:
        """YAML reads the words on and off as true and false."""
        return ("on" if value else "off") if isinstance(value, bool) else value


GATE_ATTACKS = ("naive", "cross_photo", "restoration")
"""Attacks that a run's own gate can make; the others learn or need hours, and have a DAG of their own."""


class ReidConfig(_Section):
    """Attack and gate: how the result is attacked and what the gate lets pass."""

    recognisers: str = Field(
        "dlib_resnet",
        pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$",
        description="The recognisers that attack the result, separated by commas: dlib_resnet, and the classical lbp "
        "and eigenfaces (weak: what they link is linked, what they do not proves nothing).",
    )
    user_recognisers: str | None = Field(
        None,
        description="YAML files, separated by commas, that describe ONNX face recognisers of your own.",
    )
    attacks: str = Field(
        "naive,cross_photo,restoration",
        pattern=r"^[a-z0-9_]+(,[a-z0-9_]+)*$",
        description="The attacks of the gate, separated by commas: naive (the same photo; always), cross_photo (other "
        "photos of the person), restoration (both, after filters have tried to undo the change).",
    )
    identities: Literal["auto", "folders", "estimated"] = Field(
        "auto",
        description="Who is the same person, for cross_photo: folders: a sub-folder is a person; estimated: a "
        "recogniser groups the originals; auto: the folders, where the originals agree with them.",
    )
    heavy: Literal["off", "if_known", "required"] = Field(
        "if_known",
        title="Attacks that learn (heavy)",
        description="Attacks that learn (photo-anonymizer attack, or the DAG attack_methods): if_known: what they "
        "found on this method with these settings must be within bounds; required: and there must be such a result; "
        "off: it does not matter.",
    )
    heavy_max_age_days: int = Field(
        90,
        ge=1,
        le=3650,
        title="Attacks that learn: max age days",
        description="How old their result may be where it is required (days).",
    )
    claim: Literal["observed", "proven"] = Field(
        "observed",
        description="What the release claims: observed: the bounds below hold for what was measured, and the interval "
        "is shown; proven: they hold for the upper end of the 95 % interval (over people), which takes many people.",
    )
    max_linked_rate: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of published faces that may be linked to their own original, or to another photo of the "
        "person, by any of the attacks above. Photos with a linked face are held before the gate, so that more than 0 "
        "means a defect.",
    )
    min_control_rate: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Share of the original faces that the recogniser must know in the mirror; else its failure proves "
        "nothing.",
    )
    max_rank1_excess: float = Field(
        0.05,
        ge=0,
        le=1,
        description="How far the lower end of rank-1's 95 % interval may lie above chance, for every attack; for "
        "attacks that learn, above what they find behind a solid mask too.",
    )
    max_resemblance_excess: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of published faces that may be taken for one particular other person of the run: how far "
        "the lower end of its 95 % interval may lie above that of the originals.",
    )
    ladder: str = Field(
        "auto",
        description="What a face is given that is still linked, step by step: stronger (the run's method again) and "
        "names of methods, separated by commas, a method that destroys last. auto: stronger,pixelate,mask,mask; for "
        "mask and avatar mask,mask.",
    )
    max_escalations: int = Field(4, ge=0, le=MAX_RUNGS, description="Steps up the ladder that one face may be given.")
    require_faces: bool = Field(
        True, description="Refuse a release in which no face was found at all: nothing was proven."
    )

    @property
    def recogniser_names(self) -> tuple[str, ...]:
        """The registered recognisers, each once, in the order given."""
        return tuple(dict.fromkeys(self.recognisers.split(",")))

    @property
    def attack_names(self) -> tuple[str, ...]:
        """The gate's attacks, each once, in the order of the threat model."""
        asked = self.attacks.split(",")
        return tuple(name for name in GATE_ATTACKS if name in asked)

    @property
    def user_recogniser_files(self) -> tuple[Path, ...]:
        """The descriptions of the user's own recognisers."""
        return tuple(_expanded(path) for path in split_paths(self.user_recognisers))

    @property
    def rungs(self) -> tuple[str, ...]:
        """The ladder's words above the run's own method; empty: the method's usual ones."""
        return () if self.ladder == "auto" else tuple(word.strip() for word in self.ladder.split(","))

    @model_validator(mode="after")
    def _climbable(self) -> ReidConfig:
        rungs, methods = self.rungs, get_args(MethodName)
        if unknown := [word for word in rungs if word not in (STRONGER, *methods)]:
            raise ValueError(
                f"ladder: {unknown[0]!r} is no step; there are {STRONGER}, {', '.join(methods)}, or auto alone"
            )
        if len(rungs) > MAX_RUNGS:
            raise ValueError(f"ladder: {len(rungs)} steps, and a face is given at most {MAX_RUNGS}")
        if STRONGER in rungs[rungs.count(STRONGER) :]:
            raise ValueError(f"ladder: {STRONGER} is the run's own method again, and stands before all others")
        if rungs and rungs[-1] not in DESTROYS:
            raise ValueError(
                f"ladder: it ends with {rungs[-1]}, which keeps something of the face; let it end with "
                f"{' or '.join(DESTROYS)}"
            )
        return self

    @field_validator("attacks")
    @classmethod
    def _can_be_made(cls, value: str) -> str:
        asked = value.split(",")
        if unknown := sorted(set(asked) - set(GATE_ATTACKS)):
            raise ValueError(
                f"{', '.join(unknown)}: the gate can make {', '.join(GATE_ATTACKS)}; heavier attacks are made by "
                "photo-anonymizer attack or the DAG attack_methods"
            )
        if "naive" not in asked:
            raise ValueError("the naive attack is always made: add naive")
        return value

    @model_validator(mode="after")
    def _provable(self) -> ReidConfig:
        if self.claim == "proven" and not 0 < self.max_linked_rate < 1:
            raise ValueError(
                "claim: proven needs a max_linked_rate above 0 and below 1, such as 0.01 (for which 299 people are "
                "needed), because no sample proves that nothing at all is linked"
            )
        return self


def split_paths(paths: str | None) -> list[str]:
    """The paths of a field that names several files, separated by commas."""
    return [path.strip() for path in (paths or "").split(",") if path.strip()]


def _expanded(path: str) -> Path:
    """With the user's home for ``~``; a home of nobody stays as it is, and is not found later."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


class ReleaseConfig(_Section):
    """Release: what goes into the published version."""

    contact_sheet_photos: int = Field(24, ge=0, le=200, description="Published photos shown in the report.")
    keep_workspace: bool = Field(False, description="Keep the intermediate files of a run that ended well.")


USERS_FILES = (
    ("mask", "icon"),
    ("synthetic", "bank"),
    ("synthetic", "generator_model"),
    ("detection", "yunet_model"),
    ("detection", "user_model"),
    ("detection", "given_boxes"),
    ("consent", "regions"),
    ("consent", "people"),
    ("reid", "user_recognisers"),
)
"""Fields that name files of the user's: a release shows that there was one, and no path."""
SEVERAL_FILES = {("reid", "user_recognisers")}
"""Those of them that name several, separated by commas."""


class RunConfig(_Section):
    """Everything that a run is asked to do.

    :raises ValueError: (pydantic) anything that is not usable; use :func:`load_config` for one readable sentence.
    """

    source: str = Field(
        min_length=1, description="Folder, archive (.zip, .tar), list (.csv, .parquet) or fsspec URL with the photos."
    )
    out: str = Field("out", min_length=1, description="Folder that holds workspace/, vault/ and releases/.")
    dataset: str = Field(
        "photos",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="Name of the collection: small letters, digits, - and _. Versions are counted per dataset.",
    )
    method: Literal["auto", MethodName] = Field(
        "auto", description="How faces are changed; 'auto' follows the purpose."
    )
    purpose: Literal["internal_review", "strong_privacy", "public_release", "realism", "unsure"] = Field(
        "unsure",
        description="What the release is for: internal review → blur; realism → synthetic; anything else → mask.",
    )
    workers: int = Field(2, ge=1, le=64, description="Photos that one task works on at the same time.")
    ingest: IngestConfig = IngestConfig()
    metadata: MetadataConfig = MetadataConfig()
    detection: DetectionConfig = DetectionConfig()
    consent: ConsentConfig = ConsentConfig()
    region: RegionConfig = RegionConfig()
    blur: BlurConfig = BlurConfig()
    pixelate: PixelateConfig = PixelateConfig()
    mask: MaskConfig = MaskConfig()
    avatar: AvatarConfig = AvatarConfig()
    synthetic: SyntheticConfig = SyntheticConfig()
    feature_preserving: FeaturePreservingConfig = FeaturePreservingConfig()
    residual: ResidualConfig = ResidualConfig()
    reid: ReidConfig = ReidConfig()
    release: ReleaseConfig = ReleaseConfig()

    @field_validator("source")
    @classmethod
    def _no_control_characters(cls, value: str) -> str:
        if re.search(r"[\x00]", value):
            raise ValueError("holds a NUL character")
        return value

    @field_validator("out")
    @classmethod
    def _home(cls, value: str) -> str:
        try:
            return str(Path(value).expanduser())
        except RuntimeError:
            raise ValueError("starts with ~ and a name that is no user's") from None

    @model_validator(mode="after")
    def _hair(self) -> RunConfig:
        if self.region.hair and self.chosen_method in KEEPS_HAIR:
            raise ValueError(f"region.hair: {self.chosen_method} keeps the hair; choose blur, pixelate or mask")
        if self.region.hair and (keeping := [word for word in self.reid.rungs if word in KEEPS_HAIR]):
            raise ValueError(f"region.hair: {keeping[0]} of reid.ladder keeps the hair; leave it out")
        return self

    @property
    def chosen_method(self) -> MethodName:
        """The method that the run uses: the one asked for, or the one that suits the purpose."""
        if self.method != "auto":
            return self.method
        suited: dict[str, MethodName] = {"internal_review": "blur", "realism": "synthetic"}
        return suited.get(self.purpose, "mask")

    @property
    def residual_enabled(self) -> bool:
        """Are residual cues flattened in this run?"""
        if self.residual.enabled == "auto":
            return self.purpose != "internal_review"
        return self.residual.enabled == "on"

    @property
    def digest(self) -> str:
        """SHA-256 of the configuration without its paths: what decides the pixels, and nothing identifying."""
        return hashlib.sha256(self.public_json().encode()).hexdigest()

    def public(self) -> dict[str, Any]:
        """The configuration as a release may show it: without source, output folder and file paths."""
        shown = self.model_dump(mode="json", exclude={"source", "out"})
        for section, name in self._users_files():
            shown[section][name] = "user's own"
        return shown

    def users_files(self) -> dict[str, Path]:
        """Files and folders of the user's that the configuration names, by field; of several by field and number."""
        named: dict[str, str] = {}
        for (section, name), value in self._users_files().items():
            if (section, name) in SEVERAL_FILES:
                named |= {f"{section}.{name}.{number}": path for number, path in enumerate(split_paths(value))}
            else:
                named[f"{section}.{name}"] = value
        return {field: _expanded(path) for field, path in named.items()}

    def _users_files(self) -> dict[tuple[str, str], str]:
        named = {(section, name): getattr(getattr(self, section), name) for section, name in USERS_FILES}
        named["mask", "icon"] = self.mask.users_icon
        return {field: path for field, path in named.items() if path}

    def public_json(self) -> str:
        """:meth:`public` as canonical JSON."""
        return json.dumps(self.public(), sort_keys=True, separators=(",", ":"))


def load_config(values: Mapping[str, Any]) -> RunConfig:
    """Validates ``values`` (nested, as in a configuration file).

    :raises ConfigError: one sentence that names every wrong field.
    """
    try:
        return RunConfig.model_validate(dict(values))
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors(include_url=False))
        raise ConfigError(f"configuration refused: {problems}") from None


def _problem(item: Any) -> str:
    field = ".".join(str(part) for part in item["loc"]) or "configuration"
    # Paths are not repeated, nor sections, which hold some: what is refused may end up in a log.
    paths = {("source",), ("out",), *USERS_FILES}
    shown = item["type"] != "missing" and item["loc"][:1] not in paths and item["loc"][:2] not in paths
    shown = shown and not isinstance(item["input"], Mapping)
    return f"{field}: {item['msg']}" + (f" (got {item['input']!r})" if shown else "")


def read_config_file(path: Path) -> dict[str, Any]:
    """The nested values of a YAML file.

    :raises ConfigError: the file is missing, is not YAML or is not a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the configuration file {path} cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(f"the configuration file {path} is not valid YAML") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"the configuration file {path} must hold fields with values")
    return values


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings laid over each other, later ones on top."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            result[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return result


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"blur.cells": 3}`` → ``{"blur": {"cells": 3}}``.

    :raises ConfigError: a field is given both as a value and with fields of its own.
    """
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *parents, leaf = key.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{key}: {parent} cannot be a value and hold fields at the same time")
        place[leaf] = value
    return nested
