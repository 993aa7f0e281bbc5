"""Side information: numbers of a point layer that a model is told besides marks."""
