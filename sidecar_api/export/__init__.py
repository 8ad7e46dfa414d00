"""Exports: the trail as a file that says itself whether it is whole.

``columns`` and ``csv``, ``ndjson``, ``ocsf`` write one activity each; ``manifest`` closes the
file; ``resume`` lets a download that broke go on; ``verify`` reads a file again, and imports
neither Flask nor a cluster, so that ``activity-center export verify`` works anywhere.
"""
