"""The second layer, pure and with packets."""
