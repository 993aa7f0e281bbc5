"""Learning from marks: retraining, new classes, and the advice which of it suits a mistake."""
