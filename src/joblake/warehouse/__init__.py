"""The DuckDB catalogue over a lake: views, the fence around queries, marts."""
