"""The avatar's head: one shape, one painting, the same for everybody, seen from wherever a photo's head is seen."""
