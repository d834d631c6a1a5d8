"""How answers look: tables, sentences, times. Rich is used here only, and loaded when a table is drawn."""
