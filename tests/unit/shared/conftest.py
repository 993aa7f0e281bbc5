from __future__ import annotations

from hypothesis import settings

# A loaded machine is no reason for a test to fail.
settings.register_profile("unhurried", deadline=None, max_examples=60)
settings.load_profile("unhurried")
