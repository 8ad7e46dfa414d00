"""``python -m activity_center`` is ``activity-center``."""

from activity_center.cli import main

main()
