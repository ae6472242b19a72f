"""Third stage: where the faces are, how sure that is, and whether a person shows whose face was not found."""

from photo_anonymizer.registry import Registry

DETECTORS = Registry("detector", {"retinaface": "photo_anonymizer.detection.retinaface:RetinaFace"})
