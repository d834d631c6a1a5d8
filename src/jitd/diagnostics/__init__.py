"""doctor: what keeps access from working, or gets around it."""
