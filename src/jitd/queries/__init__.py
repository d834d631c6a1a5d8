"""What people may ask: list, show, status, events, history, why, report."""
