"""Training networks: one loop, and what a step is for each kind of network."""
