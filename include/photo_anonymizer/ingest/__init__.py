"""First stage: every file of the source gets an id and a row, and is either on its way or rejected with a reason."""
