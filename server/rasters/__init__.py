"""Pixels: rasters and marks from files and from clients, the two grids they lie on, and finished maps."""
