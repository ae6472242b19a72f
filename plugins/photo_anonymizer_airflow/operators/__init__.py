"""One operator a file; each hands its work to the library and returns paths, names and counts, never photos."""
