"""The doctor tries the steps of an export, and the policies allow them."""
