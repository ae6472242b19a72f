"""What can be found in a photo file beside its picture: the words that records, ledger and audit log use.

A word says that something was there, never what it said.
"""

from __future__ import annotations

import re

KINDS = {
    # blocks
    "exif": "an EXIF block",
    "xmp": "an XMP packet",
    "xmp_extended": "an XMP packet that goes on in further segments",
    "iptc": "IPTC",
    "photoshop": "Photoshop's own blocks",
    "icc": "a colour profile",
    "mpf": "a directory of further pictures",
    "c2pa": "a C2PA (JUMBF) manifest",
    # what they held
    "gps": "a place",
    "timestamps": "times and dates",
    "camera": "make or model of a camera or lens",
    "serial_number": "the serial number of a camera or lens",
    "owner_name": "the name of an owner, artist or author",
    "document_id": "the id of a document, of its versions or of one exposure",
    "copyright": "a copyright notice",
    "software": "the name of a program or computer",
    "maker_note": "a camera maker's own notes",
    "face_regions": "regions of faces, perhaps with names",
    "orientation": "a turn, which was applied",
    "resolution": "dots per inch",
    "colour_tags": "colour descriptions beside a profile",
    "linked_profile": "the name of a file with a colour profile",
    # pictures beside the picture
    "thumbnail": "a smaller version",
    "gain_map": "a map that makes the picture brighter on some screens",
    "depth_map": "a map of distances",
    "mask": "a mask that belongs to a picture",
    "hidden_picture": "a picture that the file does not show",
    "motion_video": "a video",
    "animation": "an animation's control data",
    # words and bytes
    "comment": "a comment",
    "text": "text beside the picture",
    "tags": "TIFF tags that do not say how the pixels are stored",
    "other_chunk": "PNG or WebP chunks of another kind",
    "other_block": "GIF application blocks of another kind",
    "other_box": "boxes of another kind",
    "trailing_data": "bytes behind the end",
    "hidden_data": "bytes that belong to no part of the picture",
    "stray_bytes": "bytes between the parts",
    "transparency": "transparency, flattened onto white",
}
"""Every word and what it stands for. Readers add ``app0`` … ``app15``, which are JPEG's own names."""

_NUL = re.compile(rb"\x00")
_XMP: dict[str, re.Pattern[bytes]] = {
    "gps": re.compile(rb"exif:GPS|photoshop:City|Iptc4xmpCore:Location|LocationShown|LocationCreated"),
    "timestamps": re.compile(rb"xmp:(?:Create|Modify|Metadata)Date|photoshop:DateCreated|exif:DateTime"),
    "camera": re.compile(rb"tiff:(?:Make|Model)\b|aux:Lens|exifEX:Lens"),
    "serial_number": re.compile(rb"SerialNumber"),
    "document_id": re.compile(rb"DocumentID|InstanceID|ImageUniqueID|aux:ImageNumber"),
    "owner_name": re.compile(rb"dc:creator|OwnerName|photoshop:AuthorsPosition|tiff:Artist|CreatorContactInfo"),
    "copyright": re.compile(rb"dc:rights|xmpRights:|photoshop:Copyright|tiff:Copyright"),
    "software": re.compile(rb"xmp:CreatorTool|softwareAgent|tiff:Software"),
    "face_regions": re.compile(rb"mwg-rs:|metadataworkinggroup\.com/schemas/regions|MPReg:|MPRI:|RegionInfo"),
    "thumbnail": re.compile(rb"xmp:Thumbnails|xmpGImg:"),
}
"""What property names in XMP tell (XMP part 2, Exif for XMP, MWG 2.0 regions, Microsoft photo schema 1.2)."""


def plain_xmp(packet: bytes) -> bytes:
    """A packet in UTF-8, UTF-16 or UTF-32 (XMP part 1, 7.1) with its ASCII as plain bytes."""
    return _NUL.sub(b"", packet)


def kinds_in_xmp(packet: bytes) -> set[str]:
    """What an XMP packet holds, besides being one."""
    plain = plain_xmp(packet)
    return {kind for kind, names in _XMP.items() if names.search(plain)}
