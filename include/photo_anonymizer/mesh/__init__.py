"""The face mesh, shared by the stages: 468 points on a face, how they hang together, how the head is turned and lit."""
