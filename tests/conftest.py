"""Fixtures of all tests."""

pytest_plugins = ["gatekeeper.testing"]
