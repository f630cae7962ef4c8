"""What `gatekeeper init` writes: a configuration, an example gate, a CI file; and what it imports."""
