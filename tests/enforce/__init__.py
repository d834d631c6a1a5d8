"""Tests of the WireGuard backends."""
