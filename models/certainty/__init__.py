"""How unsure a network is, and probabilities that mean something."""
