"""How agents that are built with others' frameworks tell what they do.

One module a framework, each with its extra: ``openai_agents``, ``langgraph``, ``mcp``. A module
imports its framework when it is imported, and nothing here imports a module.
"""

from __future__ import annotations
