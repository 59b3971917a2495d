"""The declared sources, and the columns and parameters that botocore's service models add."""
