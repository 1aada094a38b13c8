"""The engine: encode an image once, prompt many times."""
