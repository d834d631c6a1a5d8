"""Desired access, what was read back, the difference, and read back again."""
