"""The classified map: its layer, how it is repainted, compared and saved."""
