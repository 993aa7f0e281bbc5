"""Looking where it matters: the map's uncertainty and the patches to review."""
