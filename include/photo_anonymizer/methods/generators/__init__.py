"""Neural inpainters and face generators that a user brings. One file a runtime; the user's YAML file says the rest."""

from photo_anonymizer.registry import Registry

GENERATORS = Registry(
    "generator",
    {
        "onnx": "photo_anonymizer.methods.generators.onnx:Onnx",
        "diffusers": "photo_anonymizer.methods.generators.diffusers:Diffusers",
    },
)
