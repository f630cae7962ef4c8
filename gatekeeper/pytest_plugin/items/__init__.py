"""Gates as items of a pytest session: `pytest gates/`."""
