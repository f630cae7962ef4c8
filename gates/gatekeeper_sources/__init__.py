"""The sources that ship: readers of measurements, one file per format."""
