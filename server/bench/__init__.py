"""What `terrafine bench` measures."""
