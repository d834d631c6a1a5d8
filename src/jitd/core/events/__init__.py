"""The catalogue of events: `kinds.py` says of each kind what it is called and who learns of it, `data.py` what it carries."""
