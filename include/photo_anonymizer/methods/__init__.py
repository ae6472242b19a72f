"""Fourth stage: what takes a face's place. One file a method; the branch picks one method for the run."""

from photo_anonymizer.registry import Registry

METHODS = Registry(
    "method",
    {
        "blur": "photo_anonymizer.methods.blur:Blur",
        "pixelate": "photo_anonymizer.methods.pixelate:Pixelate",
        "mask": "photo_anonymizer.methods.mask:Mask",
        "avatar": "photo_anonymizer.methods.avatar:Avatar",
        "synthetic": "photo_anonymizer.methods.synthetic:Synthetic",
        "feature_preserving": "photo_anonymizer.methods.feature_preserving:FeaturePreserving",
    },
)
