"""How many photos a sample has. Light to import: the trigger form and the command line say it too."""

from __future__ import annotations

from photo_anonymizer.errors import ConfigError

SAMPLE = 120
"""Photos that attackers who learn are given, unless somebody says otherwise."""
FEWEST, MOST = 8, 5000
EACH = 10
"""Photos of one folder at most, so that a sample shows several people."""
HOW_DRAWN = f"folder by folder, at most {EACH} of each, so that it shows several people with several photos"
"""For help and form."""
PEOPLE_NEEDED = "at least 4 people with two photos each"
"""So that attackers can learn from two and attack two."""


def check_size(photos: int) -> None:
    """:raises ConfigError: a sample cannot have so many photos."""
    if not FEWEST <= photos <= MOST:
        raise ConfigError(f"sample: {photos} photos; ask for {FEWEST} to {MOST:,}")
