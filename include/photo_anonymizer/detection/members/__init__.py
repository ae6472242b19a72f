"""The family of face detectors: one file a member, registered in ``photo_anonymizer.detection``."""
