"""Faults, each as a small function that plays it on a real gateway with real packets and says what came of it.

`catalogue.py` lists them. `make test` plays a seeded selection (tests/e2e/test_faults.py), `make faults` all of them
many times (`run.py`) and writes docs/reliability.md from what it saw.
"""
