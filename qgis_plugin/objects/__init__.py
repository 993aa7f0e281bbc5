"""Single objects: drag a box, click, correct, accept."""
