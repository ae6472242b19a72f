"""What an attacker may do to a published face before he looks at it; one protocol, one file a member."""

from photo_anonymizer.registry import Registry

_HERE = "photo_anonymizer.reid.attacks.restorers"
RESTORERS = Registry(
    "restorer",
    {
        "wiener": f"{_HERE}.wiener:Wiener",
        "richardson_lucy": f"{_HERE}.richardson_lucy:RichardsonLucy",
        "blind_deconvolution": f"{_HERE}.blind_deconvolution:BlindDeconvolution",
        "total_variation": f"{_HERE}.total_variation:TotalVariation",
        "super_resolution": f"{_HERE}.super_resolution:SuperResolution",
        "learned_filter": f"{_HERE}.learned_filter:LearnedFilter",
        "learned_face": f"{_HERE}.learned_face:LearnedFace",
    },
)
