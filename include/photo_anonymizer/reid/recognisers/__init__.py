"""Face recognisers that the attack tries on its own result; one protocol, one file a member.

A user's own networks are no entries of the table: there may be any number of them, each named by its description
(``reid.user_recognisers``, :mod:`photo_anonymizer.reid.recognisers.user_onnx`).
"""

from photo_anonymizer.registry import Registry

_HERE = "photo_anonymizer.reid.recognisers"
RECOGNISERS = Registry(
    "recogniser",
    {
        "dlib_resnet": f"{_HERE}.dlib_resnet:DlibResnet",
        "lbp": f"{_HERE}.lbp:Lbp",
        "eigenfaces": f"{_HERE}.eigenfaces:Eigenfaces",
    },
)
"""Name → class; each has ``load(threads)``, which makes it."""
