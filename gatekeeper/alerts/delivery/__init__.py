"""Emptying the outbox: every channel in a lane of its own, each notification at least once."""
