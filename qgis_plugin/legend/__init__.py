"""The classes: their names, colours and keys."""
