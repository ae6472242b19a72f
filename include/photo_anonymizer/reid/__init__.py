"""Seventh stage: the result is attacked as somebody would who has the originals and knows where every face was."""
