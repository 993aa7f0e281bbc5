"""The way to the server: starting, choosing and reaching one, and keeping it in step with the plugin."""
