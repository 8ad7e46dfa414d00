"""Alert rules as data: reading them, and what they become.

``rules`` says what a rule is; ``loading`` reads ``opensearch/monitors/rules/*.yml`` and the
user's own; ``conditions`` turns their query language into OpenSearch's; ``searches`` makes the
whole search of a rule, which the collector's evaluator and the monitors of the Alerting plugin
share; ``monitors`` compiles monitors; ``sigma`` reads Sigma rules.
"""

from __future__ import annotations

from activity_center.alerting.loading import load_rule, load_rules
from activity_center.alerting.rules import KINDS, Case, Rule, fires, words
from activity_center.config_alerts import SEVERITIES

__all__ = ["KINDS", "SEVERITIES", "Case", "Rule", "fires", "load_rule", "load_rules", "words"]
