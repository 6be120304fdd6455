"""A small OpenAI-compatible server for local checkpoints, so that the loop needs no GPU and no outside service."""
