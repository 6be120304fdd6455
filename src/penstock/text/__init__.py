"""What several stages need to do with text: redaction and keyed hashes."""
