"""Clean published files, and the same files with one kind of residue planted in each."""

from __future__ import annotations

import binascii
import hashlib
import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.model.encoding import Encoding

SECRET = b"Jane-Doe-7413"
WIDTH, HEIGHT = 101, 67


def drawn() -> np.ndarray:
    """A picture without any symmetry, (67, 101, 3) uint8."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    channels = [255 * x / WIDTH, 255 * y / HEIGHT, np.where((x < 33) & (y < 33), 200, x * y % 256)]
    return np.stack(channels, axis=-1).astype(np.uint8)


JPEG = encode(drawn(), Encoding(format="jpeg", quality=92))
PROGRESSIVE = encode(drawn(), Encoding(format="jpeg", quality=92, subsampling=2, progressive=True))
PNG = encode(drawn(), Encoding(format="png"))
WEBP = encode(drawn(), Encoding(format="webp", quality=90))
WEBP_LOSSLESS = encode(drawn(), Encoding(format="webp", lossless=True))
TIFF = encode(drawn(), Encoding(format="tiff"))
AVIF = encode(drawn(), Encoding(format="avif", quality=90))
PUBLISHED = {
    "jpeg": JPEG,
    "progressive": PROGRESSIVE,
    "png": PNG,
    "webp": WEBP,
    "lossless webp": WEBP_LOSSLESS,
    "tiff": TIFF,
    "avif": AVIF,
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(format: str, pixels: np.ndarray | None = None, **options: object) -> bytes:
    """The picture as Pillow writes it with these options."""
    out = io.BytesIO()
    Image.fromarray(drawn() if pixels is None else pixels).save(out, format=format, **options)
    return out.getvalue()


# EXIF, XMP and their relatives ------------------------------------------------------------------------------


def directory(entries: list[tuple[int, int, int, bytes]], at: int, following: int = 0) -> bytes:
    """A TIFF directory at offset ``at``: values longer than four bytes stand behind it."""
    packed, values = struct.pack("<H", len(entries)), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        place = struct.pack("<I", behind + len(values)) if len(value) > 4 else value.ljust(4, b"\0")
        packed += struct.pack("<HHI", tag, kind, count) + place
        values += value + b"\0" * (len(value) % 2) if len(value) > 4 else b""
    return packed + struct.pack("<I", following) + values


def text(tag: int) -> tuple[int, int, int, bytes]:
    return (tag, 2, len(SECRET) + 1, SECRET + b"\0")


GPS = [(1, 2, 2, b"N\0"), (2, 5, 3, struct.pack("<6I", 52, 1, 31, 1, 7, 1))]


def exif(*, gps: bool = False, maker: bool = False, thumbnail: bool = False) -> bytes:
    """An EXIF block with the camera's name and, if asked for, a place, a maker note or a thumbnail."""
    entries = [text(0x010F), *([(0x8769, 4, 1, b"\x00\x01\0\0")] if maker else [])]
    entries += [(0x8825, 4, 1, b"\x00\x02\0\0")] if gps else []
    block = b"II*\0" + struct.pack("<I", 8) + directory(entries, 8, 0x300 if thumbnail else 0)
    block = block.ljust(0x100, b"\0") + directory([(0x927C, 7, len(SECRET), SECRET)], 0x100)
    block = block.ljust(0x200, b"\0") + directory(GPS, 0x200)
    preview = [(0x0103, 3, 1, b"\6\0"), (0x0201, 4, 1, b"\x00\4\0\0"), (0x0202, 4, 1, struct.pack("<I", len(JPEG)))]
    return (block.ljust(0x300, b"\0") + directory(preview, 0x300)).ljust(0x400, b"\0") + JPEG


def xmp(inside: bytes = b"", attributes: bytes = b"") -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="'
        + SECRET
        + b'" '
        + attributes
        + b">"
        + inside
        + b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


GAIN_MAP_XMP = xmp(attributes=b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"')
IPTC = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(SECRET) + 5)
IPTC += b"\x1c\x02\x50" + struct.pack(">H", len(SECRET)) + SECRET
APP13 = b"Photoshop 3.0\0" + b"8BIM\x04\x0c\0\0" + struct.pack(">I", 28 + len(JPEG) % 2) + bytes(28)
MPF = b"MPF\0II*\0" + struct.pack("<I", 8)
MPF += directory([(0xB000, 7, 4, b"0100"), (0xB001, 4, 1, b"\2\0\0\0"), (0xB002, 7, 32, bytes(32))], 8)
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + struct.pack(">I", 8 + len(SECRET)) + b"mdat" + SECRET
JUMBF_BOX = struct.pack(">I", 29) + b"jumd" + b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71" + b"\3c2pa"
JUMBF_BOX = struct.pack(">I", 8 + len(JUMBF_BOX) + 8 + len(SECRET)) + b"jumb" + JUMBF_BOX
JUMBF_BOX += struct.pack(">I", 8 + len(SECRET)) + b"json" + SECRET


# JPEG -------------------------------------------------------------------------------------------------------


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def jpeg_with(marker: int, payload: bytes) -> bytes:
    """The segment right behind start-of-image and JFIF."""
    return JPEG[:20] + segment(marker, payload) + JPEG[20:]


def before(data: bytes, found: bytes, extra: bytes, last: bool = False) -> bytes:
    at = data.rindex(found) if last else data.index(found)
    return data[:at] + extra + data[at:]


def extended_xmp() -> bytes:
    """Two packets: the second one, named by its MD5 (XMP part 3, section 1.1.3.1), holds the secret."""
    name = hashlib.md5(xmp()).hexdigest().upper().encode()
    note = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    note += b'<rdf:Description xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="' + name
    note += b'"/></rdf:RDF></x:xmpmeta>'
    extension = b"http://ns.adobe.com/xmp/extension/\0" + name + struct.pack(">II", len(xmp()), 0) + xmp()
    both = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + note) + segment(0xE1, extension)
    return JPEG[:20] + both + JPEG[20:]


def components_named(names: bytes) -> bytes:
    frame, scan = JPEG.index(b"\xff\xc0"), JPEG.index(b"\xff\xda")
    named = bytearray(JPEG)
    named[frame + 10 : frame + 19 : 3] = named[scan + 5 : scan + 11 : 2] = names
    return bytes(named)


def scan_cut(data: bytes, share: float) -> bytes:
    """A JPEG whose only scan ends early."""
    start = data.index(b"\xff\xda")
    end = start + int((len(data) - start) * share)
    return data[: end - (data[end - 1] == 0xFF)] + b"\xff\xd9"


# PNG --------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", binascii.crc32(kind + payload))


def png_with(kind: bytes, payload: bytes) -> bytes:
    return PNG[:33] + chunk(kind, payload) + PNG[33:]


def png_with_rows_behind() -> bytes:
    """More rows than the picture has (as editors left them when they cropped in place)."""
    packed, at = b"", 33
    while (kind := PNG[at + 4 : at + 8]) != b"IEND":
        (length,) = struct.unpack_from(">I", PNG, at)
        packed += PNG[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    rows = zlib.decompress(packed)
    return PNG[:33] + chunk(b"IDAT", zlib.compress(rows + rows[: 3 * (1 + 3 * WIDTH)])) + chunk(b"IEND", b"")


# WebP -------------------------------------------------------------------------------------------------------


def riff(*parts: bytes) -> bytes:
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) & 1)


def webp_with(kind: bytes, payload: bytes) -> bytes:
    flags = {b"EXIF": 8, b"XMP ": 4, b"ICCP": 32}.get(kind, 0)
    extended = bytes([flags, 0, 0, 0]) + (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    picture, extra = WEBP[12:], webp_chunk(kind, payload)
    order = (extra, picture) if kind == b"ICCP" else (picture, extra)
    return riff(webp_chunk(b"VP8X", extended), *order)


# TIFF -------------------------------------------------------------------------------------------------------


def tiff_with(*extra: tuple[int, int, int, bytes], gps: bool = False, tail: bytes = b"") -> bytes:
    """The published TIFF laid out anew, with more tags, a GPS directory or bytes at the end of its strip."""
    (at,) = struct.unpack_from("<I", TIFF, 4)
    entries = []
    for index in range(struct.unpack_from("<H", TIFF, at)[0]):
        tag, kind, count = struct.unpack_from("<HHI", TIFF, at + 2 + 12 * index)
        place, size = at + 10 + 12 * index, {3: 2, 4: 4}[kind] * count
        place = struct.unpack_from("<I", TIFF, place)[0] if size > 4 else place
        entries.append((tag, kind, count, TIFF[place : place + size]))
    known = {tag: value for tag, _, _, value in entries}
    (start,), (size,) = (struct.unpack("<I", known[tag].ljust(4, b"\0")) for tag in (273, 279))
    strip = TIFF[start : start + size] + tail
    values = {273: struct.pack("<I", 8), 279: struct.pack("<I", len(strip))}
    entries = [(t, 4, 1, values[t]) if t in values else (t, k, c, v) for t, k, c, v in entries]
    padded = strip + b"\0" * (len(strip) % 2)
    first = 8 + len(padded)
    place = directory(GPS, first) if gps else b""
    extra += ((34853, 4, 1, struct.pack("<I", first)),) if gps else ()
    main = first + len(place)
    return b"II*\0" + struct.pack("<I", main) + padded + place + directory(sorted([*entries, *extra]), main)


# AVIF -------------------------------------------------------------------------------------------------------


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", 8 + len(payload)) + kind + payload


def avif_in_meta(extra: bytes) -> bytes:
    """A box at the end of ``meta``, the picture's offset moved along."""
    at = AVIF.index(b"meta") - 4
    (size,) = struct.unpack_from(">I", AVIF, at)
    moved = bytearray(AVIF[: at + size] + extra + AVIF[at + size :])
    struct.pack_into(">I", moved, at, size + len(extra))
    place = AVIF.index(b"iloc") + 4 + 14
    struct.pack_into(">I", moved, place, struct.unpack_from(">I", AVIF, place)[0] + len(extra))
    return bytes(moved)


def avif_with_unit(kind: int, payload: bytes) -> bytes:
    """One more unit at the end of the AV1 bitstream."""
    unit = bytes([kind << 3 | 2, len(payload)]) + payload
    grown = bytearray(AVIF + unit)
    at, place = AVIF.index(b"mdat") - 4, AVIF.index(b"iloc") + 4 + 18
    for where in (at, place):
        struct.pack_into(">I", grown, where, struct.unpack_from(">I", AVIF, where)[0] + len(unit))
    return bytes(grown)


def avif_mdat_tail() -> bytes:
    grown = bytearray(AVIF + SECRET)
    at = AVIF.index(b"mdat") - 4
    struct.pack_into(">I", grown, at, struct.unpack_from(">I", AVIF, at)[0] + len(SECRET))
    return bytes(grown)


def avif_named(name: bytes) -> bytes:
    at = AVIF.index(b"Color\0")
    return AVIF[:at] + name + AVIF[at + 5 :]


def avif_cropped() -> bytes:
    """Says that it is smaller than its bitstream: the rest of the picture is hidden."""
    at = AVIF.index(b"ispe") + 8
    return AVIF[:at] + struct.pack(">I", WIDTH - 40) + AVIF[at + 4 :]


# What is planted --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Residue:
    """A published file with one fault."""

    data: bytes
    extension: str
    seen: str
    """What the independent check calls it."""
    exiftool: str = ""
    """How a finding of exiftool begins; empty where it is known to see nothing (12.57)."""


FRAMES = [Image.fromarray(drawn()[::-1])]
ALPHA = np.dstack([drawn(), drawn()[..., 0]])
PLANTED = {
    "jpeg: EXIF": Residue(jpeg_with(0xE1, b"Exif\0\0" + exif()), "jpg", "segment_APP1", "IFD0:Make"),
    "jpeg: GPS": Residue(jpeg_with(0xE1, b"Exif\0\0" + exif(gps=True)), "jpg", "segment_APP1", "GPS:GPSLatitude"),
    "jpeg: maker note": Residue(
        jpeg_with(0xE1, b"Exif\0\0" + exif(maker=True)), "jpg", "segment_APP1", "ExifIFD:Maker"
    ),
    "jpeg: thumbnail": Residue(
        jpeg_with(0xE1, b"Exif\0\0" + exif(thumbnail=True)), "jpg", "segment_APP1", "IFD1:ThumbnailImage"
    ),
    "jpeg: XMP": Residue(
        jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()), "jpg", "segment_APP1", "XMP-dc:Source"
    ),
    "jpeg: extended XMP": Residue(extended_xmp(), "jpg", "segment_APP1", "XMP-dc:Source"),
    "jpeg: gain map XMP": Residue(
        jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + GAIN_MAP_XMP), "jpg", "segment_APP1", "XMP-"
    ),
    "jpeg: gain map ISO": Residue(
        jpeg_with(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)), "jpg", "segment_APP2", "ExifTool:Warning"
    ),
    "jpeg: IPTC": Residue(jpeg_with(0xED, IPTC), "jpg", "segment_APP13", "IPTC:By-line"),
    "jpeg: Photoshop thumbnail": Residue(jpeg_with(0xED, APP13), "jpg", "segment_APP13", "Photoshop:PhotoshopThumb"),
    "jpeg: MPF": Residue(jpeg_with(0xE2, MPF), "jpg", "segment_APP2", "MPF0:"),
    "jpeg: appended JPEG": Residue(JPEG + JPEG, "jpg", "trailing_data", "File:Trailer"),
    "jpeg: appended MP4": Residue(JPEG + MP4, "jpg", "trailing_data", "File:Trailer"),
    "jpeg: trailing bytes": Residue(JPEG + SECRET, "jpg", "trailing_data", "File:Trailer"),
    "jpeg: device ICC": Residue(jpeg_with(0xE2, b"ICC_PROFILE\0\1\1" + SRGB), "jpg", "segment_APP2", "ICC-header:"),
    "jpeg: comment": Residue(jpeg_with(0xFE, SECRET), "jpg", "segment_COM", "File:Comment"),
    "jpeg: C2PA": Residue(jpeg_with(0xEB, b"JP\0\1\0\0\0\1" + JUMBF_BOX), "jpg", "segment_APP11", "JUMBF:"),
    "jpeg: unknown segment": Residue(jpeg_with(0xE7, SECRET), "jpg", "segment_APP7", "ExifTool:Warning"),
    "jpeg: JFXX thumbnail": Residue(jpeg_with(0xE0, b"JFXX\0\x10" + JPEG), "jpg", "segment_APP0", "JFXX:"),
    "jpeg: JFIF twice": Residue(before(JPEG, b"\xff\xdb", JPEG[2:20]), "jpg", "segment_APP0"),
    "jpeg: resolution": Residue(JPEG[:13] + b"\1\1\x2c\1\x2c" + JPEG[18:], "jpg", "segment_APP0"),
    "jpeg: one byte behind the scan": Residue(JPEG[:-2] + b"J" + JPEG[-2:], "jpg", "hidden_data"),
    "jpeg: bytes behind the scan": Residue(JPEG[:-2] + SECRET + JPEG[-2:], "jpg", "hidden_data"),
    "jpeg: bytes behind an early scan": Residue(
        PROGRESSIVE[: PROGRESSIVE.index(b"\xff\xc4", PROGRESSIVE.index(b"\xff\xda"))]
        + b"Jo"
        + PROGRESSIVE[PROGRESSIVE.index(b"\xff\xc4", PROGRESSIVE.index(b"\xff\xda")) :],
        "jpg",
        "hidden_data",
    ),
    "jpeg: scan that ends early": Residue(scan_cut(JPEG, 0.6), "jpg", "hidden_data"),
    "jpeg: restart markers": Residue(JPEG[:-2] + b"\xff\xd0a\xff\xd3b" + JPEG[-2:], "jpg", "surplus_restart"),
    "jpeg: stray bytes": Residue(JPEG[:20] + SECRET + JPEG[20:], "jpg", "stray_bytes", "ExifTool:Warning"),
    "jpeg: unused table": Residue(
        before(JPEG, b"\xff\xdb", segment(0xDB, b"\3" + SECRET.ljust(64, b"\1"))), "jpg", "unused_table"
    ),
    "jpeg: names of components": Residue(components_named(b"Jan"), "jpg", "broken_container"),
    "png: tEXt": Residue(png_with(b"tEXt", b"Author\0" + SECRET), "png", "chunk_tEXt", "PNG:Author"),
    "png: zTXt": Residue(png_with(b"zTXt", b"Author\0\0" + zlib.compress(SECRET)), "png", "chunk_zTXt", "PNG:Author"),
    "png: iTXt": Residue(png_with(b"iTXt", b"Author\0\0\0\0\0" + SECRET), "png", "chunk_iTXt", "PNG:Author"),
    "png: XMP": Residue(
        png_with(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp()), "png", "chunk_iTXt", "XMP-dc:Source"
    ),
    "png: eXIf": Residue(png_with(b"eXIf", exif(gps=True)), "png", "chunk_eXIf", "GPS:GPSLatitude"),
    "png: tIME": Residue(png_with(b"tIME", b"\x07\xe8\1\2\3\4\5"), "png", "chunk_tIME", "PNG:ModifyDate"),
    "png: iCCP": Residue(png_with(b"iCCP", b"x\0\0" + zlib.compress(SRGB)), "png", "chunk_iCCP", "ICC-header:"),
    "png: pHYs": Residue(png_with(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)), "png", "chunk_pHYs", "PNG-pHYs:"),
    "png: C2PA": Residue(png_with(b"caBX", JUMBF_BOX), "png", "chunk_caBX", "JUMBF:"),
    "png: unknown chunk": Residue(png_with(b"jdOe", SECRET), "png", "chunk_unknown"),
    "png: trailing bytes": Residue(PNG + SECRET, "png", "trailing_data", "ExifTool:Warning"),
    "png: rows behind the last": Residue(png_with_rows_behind(), "png", "hidden_data"),
    "png: alpha": Residue(saved("PNG", ALPHA), "png", "transparency"),
    "png: key colour": Residue(saved("PNG", transparency=(1, 2, 3)), "png", "chunk_tRNS", "PNG:Transparency"),
    "png: animation": Residue(saved("PNG", save_all=True, append_images=FRAMES), "png", "chunk_fdAT", "PNG:Animation"),
    "webp: EXIF": Residue(webp_with(b"EXIF", exif(gps=True)), "webp", "chunk_EXIF", "File:FileType"),
    "webp: XMP": Residue(webp_with(b"XMP ", xmp()), "webp", "chunk_XMP", "File:FileType"),
    "webp: ICCP": Residue(webp_with(b"ICCP", SRGB), "webp", "chunk_ICCP", "File:FileType"),
    "webp: unknown chunk": Residue(riff(WEBP[12:], webp_chunk(b"JANE", SECRET)), "webp", "chunk_unknown", "RIFF:"),
    "webp: trailing bytes": Residue(WEBP + SECRET, "webp", "trailing_data", "ExifTool:Warning"),
    "webp: alpha": Residue(saved("WEBP", ALPHA, quality=90), "webp", "chunk_ALPH", "File:FileType"),
    "webp: alpha in the lossless bitstream": Residue(saved("WEBP", ALPHA, lossless=True), "webp", "transparency"),
    "webp: animation": Residue(
        saved("WEBP", save_all=True, append_images=FRAMES), "webp", "chunk_ANMF", "File:FileType"
    ),
    "webp: second picture": Residue(riff(WEBP[12:], WEBP[12:]), "webp", "second_picture"),
    "tiff: make": Residue(tiff_with(text(271)), "tiff", "tag_0x010f", "IFD0:Make"),
    "tiff: software": Residue(tiff_with(text(305)), "tiff", "tag_0x0131", "IFD0:Software"),
    "tiff: datetime": Residue(
        tiff_with((306, 2, 20, b"2021:03:04 05:06:07\0")), "tiff", "tag_0x0132", "IFD0:ModifyDate"
    ),
    "tiff: GPS": Residue(tiff_with(gps=True), "tiff", "tag_0x8825", "GPS:GPSLatitude"),
    "tiff: XMP": Residue(tiff_with((700, 1, len(xmp()), xmp())), "tiff", "tag_0x02bc", "XMP-dc:Source"),
    "tiff: ICC": Residue(tiff_with((34675, 7, len(SRGB), SRGB)), "tiff", "tag_0x8773", "ICC-header:"),
    "tiff: private tag": Residue(tiff_with((50000, 7, len(SECRET), SECRET)), "tiff", "tag_0xc350", "IFD0:"),
    "tiff: surplus values": Residue(tiff_with((339, 3, 6, SECRET[:12])), "tiff", "tag_0x0153"),
    "tiff: page": Residue(
        saved("TIFF", save_all=True, append_images=FRAMES, compression="tiff_lzw"), "tiff", "second_picture", "IFD1:"
    ),
    "tiff: bytes behind the strip": Residue(tiff_with(tail=SECRET), "tiff", "hidden_data"),
    "tiff: trailing bytes": Residue(TIFF + SECRET, "tiff", "trailing_data"),
    "avif: EXIF": Residue(saved("AVIF", exif=exif(gps=True)), "avif", "item_Exif", "GPS:GPSLatitude"),
    "avif: XMP": Residue(saved("AVIF", xmp=xmp()), "avif", "item_mime", "XMP-dc:Source"),
    "avif: ICC": Residue(saved("AVIF", icc_profile=SRGB), "avif", "box_colr", "ICC-header:"),
    "avif: alpha": Residue(saved("AVIF", ALPHA), "avif", "second_picture", "QuickTime:AuxiliaryImageType"),
    "avif: animation": Residue(
        saved("AVIF", save_all=True, append_images=FRAMES), "avif", "unknown_container", "File:FileType"
    ),
    "avif: uuid box": Residue(AVIF + box(b"uuid", bytes(16) + SECRET), "avif", "box_uuid", "QuickTime:"),
    "avif: C2PA": Residue(AVIF + JUMBF_BOX, "avif", "box_jumb", "QuickTime:"),
    "avif: free box": Residue(AVIF + box(b"free", SECRET), "avif", "box_free", "QuickTime:"),
    "avif: user data": Residue(AVIF + box(b"udta", box(b"name", SECRET)), "avif", "box_udta", "FLIR:"),
    "avif: unknown box": Residue(avif_in_meta(box(b"jane", SECRET)), "avif", "box_unknown", "Meta:"),
    "avif: name of the item": Residue(avif_named(SECRET[:5]), "avif", "box_iinf"),
    "avif: metadata in the bitstream": Residue(avif_with_unit(5, b"\4" + SECRET), "avif", "obu_metadata"),
    "avif: padding in the bitstream": Residue(avif_with_unit(15, SECRET), "avif", "obu_padding"),
    "avif: bytes behind the bitstream": Residue(avif_mdat_tail(), "avif", "box_iloc"),
    "avif: picture larger than shown": Residue(avif_cropped(), "avif", "hidden_data"),
    "avif: trailing bytes": Residue(AVIF + SECRET, "avif", "broken_container", "ExifTool:Warning"),
}
