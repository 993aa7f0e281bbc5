"""From pixels and marks to a map, and everything that refining, learning and looking need to remember."""
