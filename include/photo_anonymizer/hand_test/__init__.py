"""The attack by hand: a person is shown a published face and two originals, and says which of the two it was."""
