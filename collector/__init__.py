"""The collector: receive, decode, map, normalize, validate, spool, deliver."""
