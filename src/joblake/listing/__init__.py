"""From a list operation to flat rows in the spool: pager, parsers, spool."""
