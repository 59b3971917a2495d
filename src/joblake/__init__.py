"""joblake keeps the history of AWS machine-learning jobs in plain Parquet."""
