"""Faces of nobody: how they look, how they are shaped, and how they are laid into a photo."""
