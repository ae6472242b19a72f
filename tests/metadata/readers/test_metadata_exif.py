"""What EXIF and XMP tell: kinds for the record, year and exposure for those who may keep them."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.readers.container import Findings
from photo_anonymizer.metadata.readers.kinds import KINDS
from photo_anonymizer.metadata.strip import strip

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
SECRET = "Jane-Doe-7413"


def block(main: dict[int, object] | None = None, camera: dict[int, object] | None = None) -> bytes:
    """An EXIF block, its TIFF header first."""
    exif = Image.Exif()
    for tag, value in (main or {}).items():
        exif[tag] = value
    if camera:
        exif.get_ifd(EXIF_IFD).update(camera)
    return exif.tobytes()


def found(data: bytes) -> Findings:
    findings = Findings()
    findings.saw_exif(data)
    return findings


def ratio(value: Fraction | int) -> IFDRational:
    return IFDRational(Fraction(value).numerator, Fraction(value).denominator)


TAGS = {
    "serial_number": [({}, {0xA431: SECRET}), ({}, {0xA435: SECRET}), ({0xC62F: SECRET}, {})],
    "document_id": [({}, {0xA420: SECRET})],
    "owner_name": [({}, {0xA430: SECRET}), ({0x013B: SECRET}, {}), ({0x9C9D: SECRET.encode("utf-16-le")}, {})],
    "timestamps": [({0x0132: "2019:08:07 06:05:04"}, {}), ({}, {0x9003: "2019:08:07 06:05:04"})],
    "copyright": [({0x8298: SECRET}, {})],
    "software": [({0x0131: SECRET}, {}), ({0x013C: SECRET}, {})],
    "camera": [({0x010F: SECRET}, {}), ({0x0110: SECRET}, {}), ({}, {0xA434: SECRET})],
    "maker_note": [({}, {0x927C: SECRET.encode()})],
    "comment": [({}, {0x9286: SECRET.encode()}), ({0x010E: SECRET}, {})],
}


@pytest.mark.parametrize(("kind", "place"), [(kind, place) for kind in TAGS for place in range(len(TAGS[kind]))])
def test_a_tag_is_named_by_its_kind_and_never_by_its_value(kind: str, place: int) -> None:
    main, camera = TAGS[kind][place]
    findings = found(block(main, camera))
    assert findings.kinds == {"exif", kind}


def test_gps_and_a_thumbnail_are_named() -> None:
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD)[1] = "N"
    assert found(exif.tobytes()).kinds == {"exif", "gps"}


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense", bytes(20)])
def test_a_broken_block_is_exif_all_the_same(data: bytes) -> None:
    assert found(data).kinds == {"exif"}
    assert found(data).kept == {}


@pytest.mark.parametrize(
    ("packet", "kinds"),
    [
        (b"<mwg-rs:Regions>", {"face_regions"}),
        (b"<MPReg:PersonDisplayName>", {"face_regions"}),
        (b'aux:SerialNumber="1"', {"serial_number"}),
        (b"xmpMM:InstanceID=", {"document_id"}),
        (b"<dc:creator>", {"owner_name"}),
        (b"<dc:rights>", {"copyright"}),
        (b"xmp:CreateDate", {"timestamps"}),
        (b"xmp:CreatorTool", {"software"}),
        (b"exif:GPSLatitude", {"gps"}),
        (b"<xmp:Thumbnails>", {"thumbnail"}),
        ("<mwg-rs:Regions>".encode("utf-16-le"), {"face_regions"}),
        (b"<rdf:RDF/>", set()),
    ],
)
def test_an_xmp_packet_is_named_by_what_it_holds(packet: bytes, kinds: set[str]) -> None:
    findings = Findings()
    findings.saw_xmp(packet)
    assert findings.kinds == {"xmp", *kinds}


def test_every_kind_is_explained() -> None:
    assert set(TAGS) <= KINDS.keys()
    assert all(text for text in KINDS.values())


# --- what may be kept


@pytest.mark.parametrize(
    ("main", "camera", "year"),
    [
        ({}, {0x9003: "2019:08:07 06:05:04"}, 2019),
        ({0x0132: "2021:01:01 00:00:00"}, {0x9003: "2019:08:07 06:05:04"}, 2019),
        ({0x0132: "2021:01:01 00:00:00"}, {}, 2021),
        ({0x0132: "2021:01:01 00:00:00"}, {0x9003: "0000:00:00 00:00:00"}, 2021),
        ({0x0132: "1826-07-04"}, {}, 1826),
        ({0x0132: "1825:12:31 23:59:59"}, {}, None),
        ({0x0132: "2101:01:01 00:00:00"}, {}, None),
        ({0x0132: "unknown"}, {}, None),
        ({}, {}, None),
    ],
)
def test_the_year_of_capture(main: dict[int, object], camera: dict[int, object], year: int | None) -> None:
    assert found(block(main, camera)).kept.get("capture_year") == year


SUNNY = {0x829D: ratio(16), 0x829A: ratio(Fraction(1, 125)), 0x8827: 100}


@pytest.mark.parametrize(
    ("camera", "stops"),
    [
        (SUNNY, 15),  # f/16 and 1/125 s at ISO 100
        ({**SUNNY, 0x8827: 400}, 13),
        ({**SUNNY, 0x829A: ratio(4)}, 6),
        ({0x9202: ratio(8), 0x9201: ratio(7), 0x8827: 100}, 15),  # the same in APEX units
        ({0x829D: ratio(2), 0x9201: ratio(-2), 0x8827: 200}, -1),
        ({0x829D: ratio(16), 0x8827: 100}, None),
        ({**SUNNY, 0x829D: ratio(0)}, None),
        ({**SUNNY, 0x829A: IFDRational(1, 0)}, None),
        ({**SUNNY, 0x829A: IFDRational(4_000_000_000, 1), 0x829D: ratio(1)}, None),
    ],
)
def test_the_exposure_in_whole_stops(camera: dict[int, object], stops: int | None) -> None:
    assert found(block({}, camera)).kept.get("exposure_ev") == stops


def picture_with(exif: bytes, format: str) -> bytes:
    out = io.BytesIO()
    pixels = np.zeros((8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(out, format, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("allowed", "kept"),
    [
        ((), {}),
        (("keep_capture_year",), {"capture_year": 2019}),
        (("keep_exposure",), {"exposure_ev": 15}),
        (("keep_capture_year", "keep_exposure"), {"capture_year": 2019, "exposure_ev": 15}),
    ],
)
def test_only_what_the_policy_allows_is_kept(format: str, allowed: tuple[str, ...], kept: dict[str, int]) -> None:
    data = picture_with(block({}, {0x9003: "2019:08:07 06:05:04", **SUNNY}), format)
    policy = Policy(max_pixels=100, **dict.fromkeys(allowed, True))
    result = strip(data, policy)
    assert result.kept == kept
    assert b"2019" not in result.data
