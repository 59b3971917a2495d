"""The settings of a run: their kinds, and the places where they stand."""
