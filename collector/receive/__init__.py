"""The doors of the collector: Fluent Forward, HTTP, and reading of files.

Each decodes within limits, says who sends (:mod:`collector.receive.credentials`), calls
``accept`` and answers only when that returned. Importing this package loads none of them.
"""
