"""The offline trainer: run from a clone as `python -m training.<command>`, never installed."""
