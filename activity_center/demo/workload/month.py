"""Put the stories on a calendar (:func:`generate`), or let them trickle (:func:`live`)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Final

from activity_center.demo.workload import agents, foreign, incidents, lapses, office, processes
from activity_center.demo.workload.cast import STAFF, Organization, Person, organizations
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event
from activity_center.demo.workload.tools import TOOLS
from activity_center.demo.workload.world import World, populated
from activity_center.errors import ConfigError

Story = Callable[[World, Dice, datetime, Person], list[Event]]

VERSION: Final = 8
"""Part of every seed: change it when the same seed may give something else."""
_INCIDENTS: Final[tuple[tuple[int, int, int, Story], ...]] = (
    (3, 0, 2, incidents.password_attack),
    (9, 1, 15, incidents.mass_deletion),
    (12, 2, 4, incidents.password_attack),
    (14, 2, 17, incidents.escalation),
    (17, 2, 1, incidents.break_glass),
    (20, 0, 16, incidents.escalation),
    (22, 1, 3, incidents.password_attack),
    (25, 2, 13, incidents.mass_deletion),
)
"""(day, organization, local hour, what): beyond the range they wrap around."""
_CHAINS: Final[tuple[tuple[int, int, int, str, agents.Ending], ...]] = (
    (1, 1, 10, "restart_service", "auto"),
    (1, 0, 14, "downsize_server", "denied"),
    (2, 0, 11, "run_ssh_command", "denied"),
    (2, 1, 16, "deploy", "failed"),
    (3, 2, 9, "run_backup", "edited"),
    (3, 0, 13, "run_command", "expired"),
    (4, 2, 15, "execute_approved_plan", "executed"),
    (4, 0, 11, "run_ssh_command", "executed"),
    (5, 0, 9, "downsize_server", "executed"),
    (5, 2, 10, "run_command", "drifted"),
)
"""(day, organization, local hour, tool, ending): again in each week, as the lapses are."""
_LAPSES: Final[tuple[tuple[int, int, int, str], ...]] = (
    (1, 0, 9, "approved_too_fast"),
    (1, 2, 14, "cancelled"),
    (2, 1, 10, "executed_twice"),
    (2, 2, 22, "executed_without_approval"),
    (3, 0, 11, "approver_lacked_permission"),
    (3, 1, 15, "approved"),
    (4, 2, 10, "approved_by_initiator"),
    (4, 0, 16, "decided_after_expiry"),
    (4, 1, 11, "not_bound"),
    (5, 1, 9, "standing_approval_on_destructive"),
    (5, 2, 13, "confirmation_missing"),
)
"""(day, organization, local hour, verdict): again in each week. Weeks are counted back from the
end, so that the last seven days have each of them, whenever on the last day one looks."""
_WAITS: Final = (36, 24, 12)
"""Hours before the end at which an agent proposes what nobody decides: it waits for 20 hours, so
that something waits at each hour of the last day."""


def generate(seed: int, start: datetime, days: int = 30, organizations: int = 3) -> Iterator[Event]:
    """Yield the events of ``days`` days from ``start`` on, in order of time.

    Args:
        seed: another one gives another month.
        start: with a zone; nothing happens before it, or after ``days`` times 24 hours.
        days: at least 1.
        organizations: at least 1; beyond three they repeat under other names.

    Raises:
        ConfigError: ``start`` has no zone, or a number is below 1.
    """
    worlds, dice = _begin(seed, start, days, organizations)
    plan: list[tuple[datetime, int, World, Dice, Story, Person]] = []
    number = count()
    first = _midnight(start)
    for day in range(-1, days + 1):
        for place, world in enumerate(worlds):
            chance = dice.split(f"day {day} of {place}")
            midnight = first + timedelta(days=day, hours=-world.organization.offset)
            for when, story, person in _day(world.organization, chance, midnight):
                plan.append((when, next(number), world, chance.split(when), story, person))
    for day, place, hour, story in _INCIDENTS:
        world = worlds[place % len(worlds)]
        when = first + timedelta(days=day % days, hours=hour - world.organization.offset, minutes=7)
        chance = dice.split(f"incident {day}")
        people = world.organization.with_roles("admin", "member")
        plan.append((when, next(number), world, chance, story, chance.pick(people)))
    end = start + timedelta(days=days)
    for week in range(max(1, days // 7)):
        since = days - 7 * (week + 1)
        for day, place, hour, tool, ending in _CHAINS:
            world = worlds[place % len(worlds)]
            offset = timedelta(hours=hour - world.organization.offset, minutes=3)
            when = first + timedelta(days=(since + day) % days) + offset
            chance = dice.split(f"chain {tool} {ending} {week}")
            person = chance.pick(world.organization.with_roles("member"))
            plan.append((when, next(number), world, chance, _certain(tool, ending), person))
        for day, place, hour, verdict in _LAPSES:
            world = worlds[place % len(worlds)]
            offset = timedelta(hours=hour - world.organization.offset, minutes=33)
            when = first + timedelta(days=(since + day) % days) + offset
            chance = dice.split(f"lapse {verdict} {week}")
            plan.append((when, next(number), world, chance, *_lapse(verdict, world, chance)))
    for place, world in enumerate(worlds):
        for hours in _WAITS:
            chance = dice.split(f"waits {hours} {place}")
            when = end - timedelta(hours=hours)
            plan.append((when, next(number), world, chance, *_lapse("pending", world, chance)))
    # The stories change their worlds, so they are told in the order in which they begin.
    events: list[tuple[datetime, int, Event]] = []
    for when, _, world, chance, story, person in sorted(plan, key=lambda one: one[:2]):
        if start <= when < end:
            told = story(world, chance, when, person)
            events += [(event.time, next(number), event) for event in told if event.time < end]
    events = [one for one in events if one[0] >= start]
    for _, _, event in sorted(events, key=lambda one: one[:2]):
        yield event


def until(seed: int, now: datetime, days: int = 30) -> list[Event]:
    """Return the events of the days up to now, today being the last one.

    Whoever asks again on the same day gets the same events, and what has happened since. Another
    day is another month, with ids of its own: an id never means two events.
    """
    today = _midnight(now)
    month = generate(_of_day(seed, today), today - timedelta(days=days - 1), days=days)
    return [event for event in month if event.time <= now]


def remains(seed: int, now: datetime) -> list[Event]:
    """Return what is left of a chain of which the beginning is older than the 30 days kept.

    Its stages are to be stored as received when they happened: what came in later cannot have
    lost its beginning.
    """
    today = _midnight(now)
    worlds, dice = _begin(_of_day(seed, today), today, 1, 1)
    chance = dice.split("remains")
    story, person = _lapse("unknown", worlds[0], chance)
    return story(worlds[0], chance, today - timedelta(days=29, hours=1), person)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _of_day(seed: int, today: datetime) -> int:
    return seed * 1_000_000 + today.toordinal()


def live(seed: int, now: datetime, organizations: int = 3) -> Iterator[Event]:
    """Yield events from ``now`` on, for ever, a few seconds apart, in order of time.

    The caller waits until each event's time has come.

    Raises:
        ConfigError: ``now`` has no zone, or a number is below 1.
    """
    worlds, dice = _begin(seed, now, 1, organizations)
    dice = dice.split(f"live {now.astimezone(UTC).isoformat()}")
    waiting: list[tuple[datetime, int, Event]] = []
    number = count()
    for turn in count():
        chance = dice.split(turn)
        world = chance.pick(worlds)
        person = chance.pick(world.organization.people[:-1])
        story = chance.weighted(_TRICKLE)
        if story is _cluster and world.organization.kind != "enterprise":
            story = _one_deed
        now += timedelta(milliseconds=chance.between(800, 9000))
        for event in story(world, chance, now, person):
            heapq.heappush(waiting, (event.time, next(number), event))
        while waiting and waiting[0][0] <= now:
            yield heapq.heappop(waiting)[2]


def _begin(seed: int, moment: datetime, days: int, count_: int) -> tuple[list[World], Dice]:
    if moment.tzinfo is None:
        raise ConfigError("the time needs a zone", where="workload", hint="datetime.now(UTC)")
    if days < 1 or count_ < 1:
        raise ConfigError("days and organizations must be at least 1", where="workload")
    dice = Dice(f"activity-center workload {VERSION} {seed}")
    people = organizations(dice, count_)
    return [populated(one, dice.split(f"world {one.id}")) for one in people], dice


def _day(
    organization: Organization, dice: Dice, midnight: datetime
) -> Iterator[tuple[datetime, Story, Person]]:
    """Yield what begins on one day in one organization: when, what, who."""
    local = midnight + timedelta(hours=organization.offset)
    weekend = local.weekday() >= 5

    def at(low: int, high: int) -> datetime:
        seconds = dice.between(low * 3600, high * 3600 - 1)
        return midnight + timedelta(seconds=seconds, microseconds=dice.between(0, 999_999))

    for person in organization.people:
        if dice.chance(5 if weekend else 74):
            yield from _working_day(dice, at, person, short=weekend)
    colleagues = organization.people[:-1]
    for _ in range(dice.between(0, 1) if weekend else dice.between(0, 2)):
        yield at(9, 19), processes.operation, dice.pick(colleagues)
    if dice.chance(45):
        yield at(1, 5), _night_backup, organization.people[1]
    for _ in range(dice.between(0, 1) if weekend else dice.between(1, 2)):
        yield at(8, 20), agents.chain, dice.pick(colleagues)
        yield at(8, 20), agents.small_talk, dice.pick(colleagues)
    if organization.kind == "enterprise":
        for _ in range(dice.between(3, 5) if weekend else dice.between(8, 14)):
            yield at(0, 24), _cluster, dice.pick(colleagues)
    if organization.kind == "saas":
        for _ in range(dice.between(1, 2) if weekend else dice.between(4, 7)):
            yield at(7, 21), _search, dice.pick(colleagues)
    if not weekend and dice.chance(70):
        for _ in range(dice.between(1, 2)):
            yield at(9, 17), _one_deed, STAFF


def _working_day(
    dice: Dice, at: Callable[[int, int], datetime], person: Person, *, short: bool
) -> Iterator[tuple[datetime, Story, Person]]:
    begins = at(10, 14) if short else at(7, 10)
    ends = begins + timedelta(hours=dice.between(1, 3) if short else dice.between(6, 9))
    yield begins, _sign_in, person
    minutes = int((ends - begins).total_seconds() // 60)
    for _ in range(max(1, person.busy + dice.between(-1, 2)) if not short else 2):
        when = begins + timedelta(
            minutes=dice.between(1, minutes), milliseconds=dice.between(0, 59_999)
        )
        story = _denied if person.role in ("member", "viewer") and dice.chance(3) else _one_deed
        yield when, _account if dice.chance(2) else story, person
    if dice.chance(55):
        yield ends + timedelta(minutes=2), _sign_out, person


def _sign_in(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    events = office.mistyped(world, dice, when, person) if dice.chance(6) else []
    when += timedelta(seconds=20 * len(events))
    return [*events, office.session(world, dice, when, person, "user.login")]


def _sign_out(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    return [office.session(world, dice, when, person, "user.logout")]


def _certain(name: str, ending: agents.Ending) -> Story:
    """Return the story of one tool and ending."""
    tool = next(one for one in TOOLS if one.name == name)

    def story(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
        return agents.chain(world, dice, when, person, tool=tool, ending=ending)

    return story


def _lapse(verdict: str, world: World, dice: Dice) -> tuple[Story, Person]:
    """Return the story that comes to a verdict, and who asks the agent."""
    story: Story = partial(lapses.lapse, verdict)
    return story, dice.pick(world.organization.with_roles("member"))


def _one_deed(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    return [office.deed(world, dice, when, person)] if world.kinds_for(person) else []


def _denied(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    # The owner may do everything.
    return [] if person.role == "owner" else [office.denied(world, dice, when, person)]


def _account(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    return [office.rare_account_event(world, dice, when, person)]


def _night_backup(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    return processes.operation(world, dice, when, person, channel=processes.CHANNELS[1])


def _cluster(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    return foreign.kubernetes(world.organization, dice, when, person)


def _search(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    return foreign.opensearch(world.organization, dice, when, person)


_TRICKLE: Final[tuple[tuple[Story, int], ...]] = (
    (_one_deed, 50),
    (_sign_in, 12),
    (_sign_out, 5),
    (processes.operation, 10),
    (agents.chain, 10),
    (agents.small_talk, 6),
    (_cluster, 10),
    (_denied, 2),
)
