"""A simulation that searches: the real service, reconciler and store under one seeded scheduler. See README.md."""
