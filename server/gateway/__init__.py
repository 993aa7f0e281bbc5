"""The edge to the network: the only sockets, who may talk through them, and what waits for the engine."""
