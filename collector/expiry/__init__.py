"""Expiry: a proposal of an AI agent that nobody decided becomes an entry that says so, once."""
