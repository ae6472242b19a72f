"""Formats that come in: one reader a file, and what several of them share."""
