"""The raster that is classified: its pixels, where they lie, and the area of it that is wanted."""
