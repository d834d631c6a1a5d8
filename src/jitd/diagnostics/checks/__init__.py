"""Doctor's checks: a module for each subject, with its `CHECKS`. See `check.py` for what a check says of itself.

Nothing here changes anything. All functions block, each for a bounded time.
"""
