"""What ``activity-center demo`` shows: a workload, and who plays and checks it."""
