"""One file per migration, in order of number."""
