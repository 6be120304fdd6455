"""Labels: answers to the questions of a label schema, worked out from signals by named, versioned rules."""
