"""The declared sources, and what botocore's service models say of their operations."""
