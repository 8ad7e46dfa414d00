"""Long-running operations as the emitter tells them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from activity_center.emit.step import MOST_STEPS
from activity_center.processes import attempt
from tests.activity_center.emit.heard import STEPS, AcmeError, Heard


@pytest.fixture
def heard(forward: Any, emitter: Any, until: Any) -> Heard:
    """An emitter that hears of no controls."""
    return Heard(forward, emitter, until)


def test_a_process_is_told_step_by_step(heard: Heard) -> None:
    """Begin, each transition and the end: in order, each complete in itself."""
    target = ("certificate", "crt_1", "shop.example")
    with (
        heard.emitter.context(user={"id": "usr_mk", "name": "mira"}),
        heard.emitter.process("ssl", "Certificate", target=target, steps=STEPS) as process,
    ):
        with process.step("Check DNS"):
            pass
        with process.step("Order certificate"):
            pass
        process.skip("Install certificate", "nothing to install")
    assert heard.actions() == [
        "started",
        "step.started",
        "step.completed",
        "step.started",
        "step.completed",
        "step.skipped",
        "completed",
    ]
    for event in heard.events:
        said = event["activity"]["process"]
        assert (said["id"], said["channel"], said["attempt"]) == (process.id, "ssl", 1)
        assert said["steps"] == list(STEPS)
        assert event["activity"]["resource"]["id"] == "crt_1"
        assert event["user"]["id"] == "usr_mk"
        assert event["organization"] == {"id": "northwind"}
    orders = [one["event"]["sequence"] for one in heard.events]
    assert orders == sorted(set(orders))
    shown = heard.folded()
    assert [one["state"] for one in shown["steps"]] == ["done", "done", "skipped"]
    assert (shown["state"], shown["progress"], shown["receipt"]) == ("done", 1.0, None)
    assert shown["initiator"]["id"] == "usr_mk"


def test_who_began_it_stays(heard: Heard) -> None:
    """Steps that other threads do are told in the name of who began the process."""
    with heard.emitter.process("ssl", "Certificate", user="usr_mk") as process:

        def work() -> None:
            with process.step("Check DNS"):
                pass

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
    assert {one["user"]["id"] for one in heard.events} == {"usr_mk"}


def test_an_error_fails_step_and_process_and_goes_on(heard: Heard) -> None:
    """Both have the whole error, the caller the same object; the receipt tells what is left."""
    wrong = AcmeError("x" * 50_000)
    process = heard.emitter.process("ssl", "Certificate", steps=STEPS)
    with pytest.raises(AcmeError) as raised, process:
        with process.step("Check DNS"):
            pass
        with process.step("Order certificate"):
            raise wrong
    assert raised.value is wrong
    (step,) = heard.of("process.step.failed")
    (end,) = heard.of("process.failed")
    for event in (step, end):
        assert event["error"]["message"] == "x" * 50_000
        assert event["error"]["code"] == AcmeError.code
        assert "test_an_error_fails_step" in event["error"]["stack_trace"]
        assert event["event"]["outcome"] == "failure"
    shown = heard.folded()
    assert [one["state"] for one in shown["steps"]] == ["done", "failed", "pending"]
    assert shown["state"] == "failed"
    left = ["Check DNS", "Order certificate (broken off)"]
    assert shown["receipt"] == {"left_behind": left}


def test_what_nobody_said_is_not_in_a_receipt(heard: Heard) -> None:
    """A process that broke off before any step says nothing of what is left; what its program
    says goes before what the steps tell."""
    with pytest.raises(AcmeError), heard.emitter.process("ssl", "C", steps=STEPS):
        raise AcmeError("no quota")
    (end,) = heard.of("process.failed")
    assert "receipt" not in end["activity"]
    assert heard.folded()["receipt"] is None
    process = heard.emitter.process("ssl", "D", steps=STEPS)
    with pytest.raises(AcmeError), process, process.step("Check DNS"):
        process.receipt(undone=["Record removed"])
        raise AcmeError("no quota")
    (_, end) = heard.of("process.failed")
    assert end["activity"]["receipt"] == {
        "undone": ["Record removed"],
        "left_behind": ["Check DNS (broken off)"],
    }
    process = heard.emitter.process("ssl", "E", steps=STEPS)
    with pytest.raises(AcmeError), process, process.step("Check DNS"):
        process.receipt(undone=["Record removed"], left_behind=[])
        raise AcmeError("no quota")
    (*_, end) = heard.of("process.failed")
    assert end["activity"]["receipt"] == {"undone": ["Record removed"], "left_behind": []}


def test_entered_again_it_is_the_next_attempt(heard: Heard) -> None:
    """The steps begin anew, and the former attempt is remembered."""
    process = heard.emitter.process("ssl", "Certificate", steps=STEPS)
    with pytest.raises(OSError, match="away"), process, process.step("Check DNS"):
        raise OSError("away")
    with process:
        assert process.attempt == 2
        with process.step("Check DNS"):
            pass
    assert heard.actions()[4] == "retried"
    shown = heard.folded()
    assert (shown["attempt"], shown["state"]) == (2, "done")
    assert [one["state"] for one in shown["attempts"]] == ["failed"]


def test_a_running_process_is_not_entered_again(heard: Heard) -> None:
    """Two blocks of one process at once would tell nonsense."""
    with heard.emitter.process("ssl", "Certificate") as process:
        with pytest.raises(RuntimeError), process:
            pass
        assert process.state == "running"


def test_another_program_goes_on_with_the_next_attempt(heard: Heard) -> None:
    """Id and number of the attempt can be given."""
    process = heard.emitter.process("ssl", "Certificate", process_id="prc_7", attempt=3)
    with process:
        pass
    assert heard.actions() == ["retried", "completed"]
    assert {one["activity"]["process"]["attempt"] for one in heard.events} == {3}


def test_output_is_gathered_and_cut_at_line_ends(heard: Heard) -> None:
    """A million lines are few activities; offsets count the bytes of a stream, over all steps."""
    lines = [f"line {number} é\n" for number in range(20_000)]
    with heard.emitter.process("git-deploy", "Deploy") as process:
        with process.step("Build") as step:
            for line in lines:
                step.output(line)
        with process.step("Probe") as step:
            step.output("fine")
            step.output(b"not \xff text", stream="stderr")
    pieces = heard.of("process.output")
    whole = b""
    for one in (piece for piece in pieces if piece["activity"]["output"]["stream"] == "stdout"):
        output = one["activity"]["output"]
        assert output["offset"] == len(whole)
        assert output["text"].endswith("\n")
        assert len(output["text"].encode()) <= 32 * 1024
        whole += output["text"].encode()
    assert whole.decode() == "".join(lines) + "fine\n"
    assert len(pieces) < 200
    assert pieces[-1]["activity"]["output"] == {
        "stream": "stderr",
        "offset": 0,
        "text": "not \ufffd text\n",
    }
    assert heard.folded()["output"]["bytes"] == len(whole) + len("not \ufffd text\n".encode())


def test_a_line_that_is_too_long_is_cut_between_characters(heard: Heard) -> None:
    """No piece ends within a character."""
    with heard.emitter.process("git-deploy", "Deploy") as process:
        process.output("é" * 40_000)
    texts = [one["activity"]["output"]["text"] for one in heard.of("process.output")]
    assert len(texts) == 3
    assert "".join(texts) == "é" * 40_000 + "\n"


def test_output_goes_before_the_end_of_its_step(heard: Heard) -> None:
    """What was printed last is told before the step ends."""
    with heard.emitter.process("ssl", "C") as process, process.step("Check DNS") as step:
        step.output("one")
        step.output("two")
    order = heard.actions()
    assert order.index("output") < order.index("step.completed")
    assert len(order) - order[::-1].index("output") <= order.index("step.completed")


def test_output_that_waits_is_told_while_the_program_is_busy(heard: Heard, until: Any) -> None:
    """Nobody has to wait for the next line to see the last one."""
    with heard.emitter.process("ssl", "C") as process, process.step("Check DNS") as step:
        step.output("one")
        step.output("two")
        until(lambda: len(heard.of("process.output")) == 2)


@pytest.mark.parametrize("share", [0.4, -1, 7, float("nan"), "much"])
def test_progress_is_a_share(heard: Heard, share: Any, until: Any) -> None:
    """Whatever is said, what is told lies between 0 and 1."""
    with heard.emitter.process("ssl", "C", steps=STEPS) as process:
        with process.step("Check DNS") as step:
            step.progress(share)
            until(lambda: heard.of("process.step.progress"))
        told = heard.of("process.step.progress")[0]["activity"]
        assert told["step"]["progress"] == {0.4: 0.4, 7: 1.0}.get(share, 0.0)
        assert told["process"]["progress"] == round(told["step"]["progress"] / 3, 4)


def test_a_silent_program_is_alive(heard: Heard, until: Any) -> None:
    """A heartbeat goes every third of the lease, and each activity carries the lease."""
    with heard.emitter.process("ssl", "C", lease=3):
        until(lambda: len(heard.of("process.heartbeat")) == 2)
    leases = [one["activity"]["process"].get("lease") for one in heard.events]
    assert all(leases[:-1])
    assert leases[-1] is None
    assert leases[0] < leases[1] < leases[2]


def test_no_thread_is_left(heard: Heard, until: Any) -> None:
    """The pulse ends with the last process."""

    def beating() -> bool:
        return any(one.name == "activity-center-pulse" for one in threading.enumerate())

    with heard.emitter.process("ssl", "C"):
        assert beating()
    until(lambda: not beating())


def test_hostile_values_do_not_break_the_program(heard: Heard) -> None:
    """Whatever names and texts are, the block runs and its end is told."""
    name = "<script>\ud800\x00" + "n" * 5000
    effects: Any = {"cancel": name, "explode": "no such control"}
    with heard.emitter.process("ssl", name, controls=["cancel", "explode"], effects=effects) as p:
        with p.step(name) as step:
            step.output(name, stream="printer")
        p.receipt(left_behind=name)
    end = heard.events[-1]
    assert end["event"]["action"] == "process.completed"
    assert end["activity"]["process"]["controls"] == ["cancel"]
    assert list(end["activity"]["process"]["effects"]) == ["cancel"]
    assert heard.of("process.output")[0]["activity"]["output"]["stream"] == "log"


@pytest.mark.parametrize(
    "names",
    [
        ["Build C", "Build C++", "Build C#", "build-c-2"],
        ["Größe é", "Größe è"],
        ["Push → eu", "Push ← eu"],
        ["→", "←"],
    ],
)
def test_steps_whose_names_look_alike_are_several(heard: Heard, names: list[str]) -> None:
    """Each keeps its own state: one that failed does not hide behind the next."""
    with heard.emitter.process("ssl", "C") as process:
        with pytest.raises(AcmeError), process.step(names[0]):
            raise AcmeError("red")
        for name in names[1:]:
            with process.step(name):
                pass
    states = [(step["name"], step["state"]) for step in heard.folded()["steps"]]
    assert states == [(names[0], "failed"), *((name, "done") for name in names[1:])]


@pytest.mark.parametrize("lease", [float("inf"), float("nan"), 1e12, -1.0, "soon"])
def test_a_lease_that_cannot_be_breaks_no_program(heard: Heard, lease: Any) -> None:
    """It is brought within what can be."""
    with heard.emitter.process("ssl", "C", lease=lease):
        pass
    assert heard.of("process.completed")


def test_of_very_many_steps_not_all_are_shown(
    heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so; as many are shown as who watches keeps."""
    assert MOST_STEPS == attempt.MOST_STEPS
    with heard.emitter.process("ssl", "C", steps=map(str, range(MOST_STEPS))) as process:
        assert "are recorded and not shown" not in caplog.text
        process.step("one more")
        assert "more than 500 steps: those beyond are recorded and not shown" in caplog.text
