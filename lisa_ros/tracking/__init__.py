"""Targets carried from frame to frame: trackers, their gates, and when to ask again."""
