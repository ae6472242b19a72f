"""How a release is attacked; one protocol, one file a member. ``docs/threat-model.md`` says what each of them means."""

from photo_anonymizer.registry import Registry

_HERE = "photo_anonymizer.reid.attacks"
ATTACKS = Registry(
    "attack",
    {
        "naive": f"{_HERE}.naive:Naive",
        "cross_photo": f"{_HERE}.cross_photo:CrossPhoto",
        "parrot": f"{_HERE}.parrot:Parrot",
        "restoration": f"{_HERE}.restoration:Restoration",
        "linkage": f"{_HERE}.linkage:Linkage",
        "near_duplicates": f"{_HERE}.near_duplicates:NearDuplicates",
    },
)
