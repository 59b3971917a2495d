"""Try what an export would do, and say what it must be allowed."""
