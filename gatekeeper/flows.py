"""Gates around Python code."""
