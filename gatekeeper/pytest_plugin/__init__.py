"""Gates around a pytest session, gates as test items, and a fixture for tests of flows."""
