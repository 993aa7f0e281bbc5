"""The engine on the machines of a Ray cluster: one actor a device. Nothing else in Terrafine knows of Ray."""
