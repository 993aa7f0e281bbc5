"""Learning from the marks, and the model that came of it."""
