"""The shipped sources: the four that are listed by default, and the operation of their parent."""

from joblake.sources.catalogue import shipped_catalogue

SOURCES = shipped_catalogue().default
LIST_MEMBERSHIPS = shipped_catalogue()["memberships"].operation
