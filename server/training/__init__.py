"""`terrafine train`: from a configuration to a model folder."""
