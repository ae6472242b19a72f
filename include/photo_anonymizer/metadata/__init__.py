"""Second stage: all that identifies besides the pixels is removed; an independent reader checks it."""
