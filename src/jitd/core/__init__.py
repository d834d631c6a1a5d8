"""The pure middle: no I/O, no clock; imports nothing but itself."""
