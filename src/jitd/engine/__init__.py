"""One worker, one transaction, deadlines, the event feed, and what is closed without the store."""
