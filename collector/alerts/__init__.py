"""Alert rules evaluated by the collector itself, where no Alerting plugin does it.

::

    schedule -> evaluate -> store (activity-alerts) -> messenger -> webhooks
                                     rounds puts them together, loop repeats them

``replay`` runs the cases of rules. Only the loop in a collector's first worker and the
command line start anything.
"""

from __future__ import annotations
