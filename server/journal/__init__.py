"""What outlives the engine's process: a journal for each session, the weights it learnt, and the pixels it was sent."""
