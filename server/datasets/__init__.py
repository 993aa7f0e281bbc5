"""Published data sets as their archives unpack: which image has which labels, and what a label's value means.

`[data] layout = "potsdam"` in a training's configuration finds the files; NAME.toml in this folder is such a
configuration, ready for `terrafine train` and `terrafine study --on NAME`.
"""
