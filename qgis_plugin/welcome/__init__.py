"""The first run and the user guide."""
