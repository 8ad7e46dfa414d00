"""What AI agents did: chains out of their stored entries, for one reader at a time."""
