"""Training: starts recipes as their own processes and records what they made. Never imports torch itself."""
