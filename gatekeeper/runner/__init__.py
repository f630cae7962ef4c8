"""The runner of a host's gates: a process of its own, `python -m gatekeeper.runner`.

A host (a program with a flow, a pytest session) may have threads, and is never forked. Its gates are loaded and run in
the runner, from data. `client` is the host's side, `messages` what both say to each other, `__main__` the process.
"""
