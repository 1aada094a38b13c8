"""The offline trainer. Run from a clone as `python -m training.<command>`; it is not installed with the package."""
