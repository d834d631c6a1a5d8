"""Requests that nobody would write, sent to a real jitd by several callers for as long as one says: `make fuzz`."""
