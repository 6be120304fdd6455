"""Pure conversions between what others put on the wire and our records. No I/O, no state."""
