"""A simulated annotator drives the engine, and what comes of it is counted."""
