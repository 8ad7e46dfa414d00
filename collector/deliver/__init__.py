"""Delivery to OpenSearch: each event once, whatever is killed, full, slow or rolled over."""

from collector.deliver.backoff import Backoff
from collector.deliver.deliverer import Deliverer
from collector.deliver.lanes import LANES

__all__ = ["LANES", "Backoff", "Deliverer"]
