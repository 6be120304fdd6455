"""The nouns: frozen record types, their ids and their transition tables. No I/O, no third party but msgspec."""
