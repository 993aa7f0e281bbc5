"""The core that the plugin, the models and the server have in common: the standard library and numpy only."""
