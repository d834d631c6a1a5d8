"""Notifications on the desktop: what they say, and the program in the background that shows them."""
