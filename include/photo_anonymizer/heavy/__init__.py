"""Attacks that learn, on a sample of the source: too heavy for every run, and remembered for the next one's gate."""
