"""Sixth stage: every photo is composed from its stripped original and all patches, and encoded once."""
