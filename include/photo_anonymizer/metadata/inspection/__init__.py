"""The independent check of a published file, one module for each format; :mod:`..inspect` is the door."""
