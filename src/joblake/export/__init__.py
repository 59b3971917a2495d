"""Plan a run, list its scopes, merge what they show and put it on record."""
