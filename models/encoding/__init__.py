"""Marks and side information become the channels that a network is given beside the image."""
