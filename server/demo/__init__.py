"""The demonstration: a raster, a simulated analyst, the real server, and a report of what the marks changed."""
