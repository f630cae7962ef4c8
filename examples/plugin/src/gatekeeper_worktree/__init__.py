"""A gate, a fact, a report and a command about the Git working tree that something ships from."""
