"""Telling people: what becomes a mail, in which words, and how it gets away."""
