"""The sidecar: answers audit questions by API and page, to those who may know.

A request passes, in this order: ``limits`` → ``identity`` (who asks) → ``access`` (what they
may see) → ``search`` (bodies built from a closed set) → ``routes`` (an answer). The page in
``web/`` is a client of the same API.
"""
