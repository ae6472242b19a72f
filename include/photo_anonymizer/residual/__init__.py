"""What still identifies somebody after the face is gone: one file a kind of cue, all switched by the configuration.

Cues write patches under the faces (``CUE_LAYER``) and never touch a picture.
"""

from photo_anonymizer.registry import Registry

CUES = Registry(
    "residual cue",
    {"clothing_pattern": "photo_anonymizer.residual.clothing_pattern:ClothingPattern"},
)
