"""Where files lie and how one replaces another, on a local disk and on S3, and the ledger."""
