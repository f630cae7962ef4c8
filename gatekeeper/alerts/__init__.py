"""Alerts: from a run's findings to events, through stages to channels, each delivered at least once.

`judging` finds the conditions of a run and what happened to them; the `stages` (one file each, a pure function) decide
what is told to whom and when; `evaluate` does both within the transaction that records the run, so that a run is
recorded if and only if its events are in the outbox; `delivery` empties the outbox. `alerting`: what a run does.
"""
