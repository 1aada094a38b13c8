"""Procedural RGB-D rooms with ground truth, and the language to ask for what is in them."""
