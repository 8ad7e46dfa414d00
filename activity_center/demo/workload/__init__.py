"""A month in the life of three organizations, made from a seed.

Pure and deterministic: the same arguments give the same bytes on every machine and in
every run. Believable: office hours in each place's own time, weekends, roles, failures,
agents with their approvals, operations with their steps, and some bad days.
"""

from activity_center.demo.workload.event import Event
from activity_center.demo.workload.month import generate, live, remains, until

__all__ = ["Event", "generate", "live", "remains", "until"]
