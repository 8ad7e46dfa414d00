"""One round: every rule that is due is evaluated, what is new is written, webhooks are told."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from activity_center.alerting import Rule, load_rules
from activity_center.alerting.monitors import compiles
from activity_center.errors import ClusterError
from collector.alerts.evaluate import Evaluator
from collector.alerts.finding import Finding, moment, nobody_sends
from collector.alerts.messenger import Messenger, Told
from collector.alerts.schedule import again, due
from collector.alerts.store import AlertStore, Written

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.config_alerts import AlertsConfig

_log = structlog.get_logger("collector.alerts")


@dataclass(slots=True)
class Round:
    """What became of a round.

    Attributes:
        evaluated: windows that were looked at.
        alerts: what was new, and is written.
        held: findings of groups that have fired already.
        lacking: rule -> fields that it needs and nobody sends.
        cut: rules with more groups than are read, or than are told of at once.
        failed: rule -> why it could not be evaluated; it is tried again.
    """

    evaluated: int = 0
    alerts: list[Finding] = field(default_factory=list)
    held: int = 0
    lacking: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)
    told: Told = field(default_factory=Told)


def rules_here(alerts: AlertsConfig) -> list[Rule]:
    """Return the rules that the collector evaluates: not those that are off or a monitor's.

    Raises:
        VocabularyError: a rule is wrong.
    """
    rules = load_rules(own=alerts.rules_dir)
    return [
        rule
        for name, rule in rules.items()
        if name not in alerts.without and not (alerts.engine == "plugin" and compiles(rule))
    ]


class Rounds:
    """Evaluates, writes and tells, again and again.

    Args:
        client: of the account that may search and keep state (``opensearch.maintain``).
    """

    def __init__(self, client: OpenSearch, alerts: AlertsConfig, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._store = AlertStore(client, alerts.runbook_base)
        self._evaluator = Evaluator(client, alerts.hours, machine=platform.node())
        self.messenger = Messenger(self._store, alerts.webhooks, alerts.link)
        self._runbook_base = alerts.runbook_base
        self._unstored: dict[str, tuple[Finding, dict[str, Any]]] = {}
        self._said: dict[str, str] = {}

    def check(self) -> None:
        """See whether alerting can work at all.

        Raises:
            ClusterError: no answer, a missing right, or ``install`` has not been run.
        """
        self._store.cursor()
        self._store.newest(0)

    def figures(self, now: int, figures: Mapping[str, float]) -> Round:
        """Evaluate the rules about this machine's own collector; everybody does it for theirs.

        What they find is mostly that OpenSearch cannot be written to, so an alert of theirs that
        cannot be stored goes to the webhooks from here, and is stored when it can be.
        """
        done = Round()
        for rule in self._rules:
            if rule.kind == "figure":
                self._look(done, rule, [now - now % (rule.every * 1000)], figures)
        for key, (finding, document) in list(self._unstored.items()):
            try:
                self._store.put(finding.id, document)
            except ClusterError:
                self.messenger.at_once(finding.id, document)
                if now - finding.end >= finding.rule.throttle * 1000:
                    del self._unstored[key]  # as long as it lasts it is told once more
            else:
                del self._unstored[key]
        return done

    def once(self, now: int, *, tell: bool = True) -> Round:
        """Evaluate what is due, from where the last round of anybody ended, and tell.

        Args:
            now: Unix time in ms.
            tell: else webhooks are told elsewhere.

        Raises:
            ClusterError: the cursor cannot be read or kept, or alerts cannot be read.
        """
        done = Round()
        cursor = self._store.cursor()
        before = dict(cursor)
        for rule in self._rules:
            if rule.kind == "figure":
                continue
            ends = due(rule, now, self._last(rule, now, cursor))
            if ends and self._look(done, rule, [*again(rule, ends), *ends], {}):
                cursor[rule.name] = ends[-1]
        if cursor != before:
            self._store.move(cursor)
        if tell:
            done.told = self.messenger.tell()
        return done

    def _last(self, rule: Rule, now: int, cursor: Mapping[str, int]) -> int | None:
        """Up to when a rule has been evaluated; not what a clock that was ahead has written."""
        last = cursor.get(rule.name)
        if last is None or last <= now + rule.every * 1000:
            return last
        _log.warning(
            "an alert rule was evaluated in the future: the clock of a collector was ahead, "
            "or this one is behind",
            rule=rule.name,
            until=moment(last),
        )
        return None

    def _look(
        self, done: Round, rule: Rule, ends: Sequence[int], figures: Mapping[str, float]
    ) -> bool:
        """Evaluate windows of a rule; return whether all could be."""
        unread, cut = False, 0
        try:
            for end in ends:
                result = self._evaluator.evaluate(rule, end, figures)
                done.evaluated += 1
                unread = unread or result.cut
                if result.lacking:
                    done.lacking[rule.name] = result.lacking
                if result.findings:
                    written = self._write(rule, result.findings)
                    done.alerts += written.new
                    done.held += len(result.findings) - len(written.new) - written.cut
                    cut += written.cut
        except ClusterError as wrong:
            done.failed[rule.name] = wrong
            self._say(rule, f"not evaluated: {wrong.message}")
            return False
        except Exception as wrong:  # a mistake in one rule must not turn all others off
            done.failed[rule.name] = wrong
            _log.exception("an alert rule cannot be evaluated", rule=rule.name)
            return False
        if unread or cut:
            done.cut.append(rule.name)
            _log.warning(
                "an alert rule has more groups than are told of",
                rule=rule.name,
                not_told=cut,
                all_judged=not unread,
            )
        lacking = done.lacking.get(rule.name)
        self._say(rule, f"finds nothing: {nobody_sends(lacking)}" if lacking else "")
        return True

    def _write(self, rule: Rule, findings: Sequence[Finding]) -> Written:
        try:
            return self._store.write(findings)
        except ClusterError:
            if rule.kind == "figure":
                for one in findings:
                    document = one.document(datetime.now(UTC), self._runbook_base)
                    self._unstored.setdefault(one.key, (one, document))
            raise

    def _say(self, rule: Rule, words: str) -> None:
        """Log what is wrong with a rule when it changes, not in every round."""
        if words and self._said.get(rule.name) != words:
            _log.warning("an alert rule does not work", rule=rule.name, why=words)
        self._said[rule.name] = words
