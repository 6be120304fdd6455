"""Where outcomes come from: pulled tables, other systems' events, git, CI. What a report means is decided elsewhere."""
