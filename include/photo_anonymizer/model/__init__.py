"""The small data types that stages share. This package imports nothing else of the project but ``errors``."""
