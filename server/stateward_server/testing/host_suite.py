"""What every machine host must do, as a test class: subclass it, give it a `host` and a `version` fixture.

    class TestMyHost(HostSuite):
        @pytest.fixture
        async def host(self, listener): ...

The version is that of the sample machine: `fake_machine.SampleMachine` in Python, `sample.*.ts` in
`tests/machines` for XState. Says nothing about processes, limits and dialects; hosts that have them test
those.
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import itertools

import pytest

from stateward_server.model.names import InstanceUid, VersionId
from stateward_server.model.step import (
    CancelTimer,
    CreationQuestion,
    Denied,
    EndInput,
    EventInput,
    EventQuestion,
    Failed,
    InboxInput,
    Input,
    LostChildren,
    LostInput,
    NeedSnapshot,
    Outcome,
    Outcomes,
    ReadQuestion,
    Ref,
    Resume,
    SendParent,
    SendTo,
    SetTimer,
    Skipped,
    Spawn,
    Status,
    Step,
    TimerInput,
)
from stateward_server.ports.host import Address, MachineHost
from stateward_server.testing.host_listener import RecordingListener

OK = '{"ok":true}'
NOT_OK = '{"ok":false}'
KID = Ref("sample", "kid-1")
_uids = itertools.count(1)


def send(kind: str, auth: str | None = OK) -> EventInput:
    """Return an event of that type from a caller who may send it."""
    return EventInput(f'{{"type":"{kind}"}}', auth)


class HostSuite:
    """Subclass me."""

    @pytest.fixture
    def listener(self) -> RecordingListener:
        return RecordingListener()

    @pytest.fixture
    async def host(self, listener: RecordingListener) -> MachineHost:
        """Return a host that tells `listener`; overridden by whoever binds the suite."""
        raise NotImplementedError

    @pytest.fixture
    def version(self) -> VersionId:
        """Return the version of the sample machine; overridden by whoever binds the suite."""
        raise NotImplementedError

    @pytest.fixture
    def at(self, version: VersionId) -> Address:
        """Return the address of an instance nobody has used before."""
        return Address(version, InstanceUid(next(_uids)))

    async def test_a_start_is_the_first_step(self, host: MachineHost, at: Address) -> None:
        step = await host.start(at, "one", '{"count":5}', OK)
        assert isinstance(step, Step)
        assert step.view.value_json == '"off"'
        assert step.view.states == ("off",)
        assert step.view.tags == ("calm",)
        assert step.view.public_json is not None
        assert step.view.public_json.replace(" ", "") == '{"count":5}'
        assert (step.view.status, step.view.settled, step.timers) == (Status.ACTIVE, True, ())

    async def test_a_start_is_authorised(self, host: MachineHost, at: Address) -> None:
        assert isinstance(await host.start(at, "one", None, NOT_OK), Denied)
        assert isinstance(await host.start(at, "one", None, None), Step)

    async def test_steps_stack_up(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        steps = await stepped(host, at, 1, send("TOGGLE"), send("TOGGLE"), send("TOGGLE"))
        assert [step.view.value_json for step in steps] == ['"on"', '"off"', '"on"']
        assert [one.view.value_json for one in await stepped(host, at, 4, send("TOGGLE"))] == ['"off"']

    async def test_an_event_of_a_type_alone_becomes_an_object(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, EventInput('"TOGGLE"', OK))
        assert step.event_json.replace(" ", "") == '{"type":"TOGGLE"}'

    async def test_an_event_without_a_transition_is_a_step_too(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("NOTHING"))
        assert (step.view.value_json, step.effects) == ('"off"', 0)

    async def test_a_denied_event_does_not_stop_the_batch(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        reply = await outcomes(host, at, 1, send("TOGGLE", NOT_OK), send("TOGGLE"))
        assert [type(one) for one in reply] == [Denied, Step]

    async def test_the_system_is_not_asked_for_permission(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        assert await stepped(host, at, 1, send("TOGGLE", None))

    async def test_a_machine_that_throws_is_left_as_it_was(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        reply = await outcomes(host, at, 1, send("BOOM"), send("TOGGLE"))
        assert isinstance(reply[0], Failed)
        assert reply[0].reason == "MACHINE_THREW"
        assert "boom" in reply[0].message
        assert isinstance(reply[1], Step)

    async def test_names_of_the_system_cannot_be_sent(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        for kind in ("xstate.done.actor.work", "done.invoke.work", "error.platform.work"):
            (outcome,) = await outcomes(host, at, 1, send(kind))
            assert isinstance(outcome, Failed)
            assert outcome.reason == "EVENT_RESERVED"

    async def test_an_unknown_instance_needs_its_snapshot(self, host: MachineHost, at: Address) -> None:
        step = await begun(host, at)
        other = Address(at.version, InstanceUid(next(_uids)))
        assert await host.step(other, 7, [send("TOGGLE")], None) == NeedSnapshot()
        reply = await host.step(other, 7, [send("TOGGLE")], Resume("one", step.snapshot_json))
        assert isinstance(reply, Outcomes)
        assert isinstance(reply.items[0], Step)
        assert reply.items[0].view.value_json == '"on"'

    async def test_another_revision_needs_its_snapshot(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        assert await host.step(at, 9, [send("TOGGLE")], None) == NeedSnapshot()

    async def test_an_evicted_instance_needs_its_snapshot(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        host.evict(at)
        assert await host.step(at, 1, [send("TOGGLE")], None) == NeedSnapshot()

    async def test_nothing_runs_before_the_commit(
        self, host: MachineHost, at: Address, listener: RecordingListener
    ) -> None:
        await begun(host, at)
        reply = await outcomes(host, at, 1, send("SHOUT"), send("TOGGLE"))
        assert len(reply) == 1, "a step with effects is the last of its batch"
        assert isinstance(reply[0], Step)
        assert reply[0].effects == 1
        await host.allow_read(at, 2, OK, None)
        assert listener.logs == []
        host.commit(at, 2)
        assert await listener.next_log() == (at.uid, "info", "shout")

    async def test_an_aborted_step_leaves_no_trace(
        self, host: MachineHost, at: Address, listener: RecordingListener
    ) -> None:
        await begun(host, at)
        first = await outcomes(host, at, 1, send("SHOUT"))
        host.abort(at, 1)
        assert await outcomes(host, at, 1, send("SHOUT")) == first
        host.abort(at, 1)
        (step,) = await stepped(host, at, 1, send("TOGGLE"))
        assert step.view.value_json == '"on"'
        host.commit(at, 2)
        await host.allow_read(at, 2, OK, None)
        assert listener.logs == []

    async def test_an_aborted_start_never_was(self, host: MachineHost, at: Address) -> None:
        assert isinstance(await host.start(at, "one", None, OK), Step)
        host.abort(at, 0)
        assert await host.step(at, 1, [send("TOGGLE")], None) == NeedSnapshot()

    async def test_a_state_with_a_delay_sets_a_timer(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("WAIT"))
        (timer,) = step.timers
        assert isinstance(timer, SetTimer)
        assert (timer.delay_ms, timer.target) == (1000, None)
        assert step.view.settled
        due = TimerInput(timer.id, timer.event_json, timer.target)
        (back,) = await stepped(host, at, 2, due)
        assert back.view.value_json == '"off"'
        assert await outcomes(host, at, 3, due) == (Skipped(),)

    async def test_leaving_the_state_cancels_its_timer(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("WAIT"))
        (timer,) = step.timers
        (left,) = await stepped(host, at, 2, send("STOP"))
        assert left.timers == (CancelTimer(timer.id),)

    async def test_a_timer_outlives_the_host(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("WAIT"))
        (timer,) = step.timers
        assert isinstance(timer, SetTimer)
        host.evict(at)
        due = TimerInput(timer.id, timer.event_json, timer.target)
        reply = await host.step(at, 2, [due], Resume("one", step.snapshot_json))
        assert isinstance(reply, Outcomes)
        assert isinstance(reply.items[0], Step)
        assert reply.items[0].view.value_json == '"off"'

    async def test_a_service_does_not_start_before_the_commit(
        self, host: MachineHost, at: Address, listener: RecordingListener
    ) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("WORK"))
        assert not step.view.settled
        assert step.effects >= 1
        await host.allow_read(at, 2, OK, None)
        assert listener.inboxes == []

    async def test_what_a_service_reports_is_a_step(
        self, host: MachineHost, at: Address, listener: RecordingListener
    ) -> None:
        await begun(host, at)
        await stepped(host, at, 1, send("WORK"))
        host.commit(at, 2)
        assert await listener.next_inbox() == at.uid
        (step,) = await stepped(host, at, 2, InboxInput())
        assert "work" in step.event_json
        assert (step.view.value_json, step.view.settled) == ('"off"', True)
        host.commit(at, 3)
        assert await outcomes(host, at, 3, InboxInput()) == (Skipped(),)

    async def test_an_aborted_report_is_reported_again(
        self, host: MachineHost, at: Address, listener: RecordingListener
    ) -> None:
        await begun(host, at)
        await stepped(host, at, 1, send("WORK"))
        host.commit(at, 2)
        await listener.next_inbox()
        first = await stepped(host, at, 2, InboxInput())
        host.abort(at, 2)
        assert await listener.next_inbox() == at.uid
        assert await stepped(host, at, 2, InboxInput()) == first

    async def test_a_service_of_another_host_is_lost(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("STICK"))
        other = Address(at.version, InstanceUid(next(_uids)))
        resume = Resume("one", step.snapshot_json)
        assert await host.step(other, 2, [send("TOGGLE")], resume) == LostChildren(("stuck",))
        (failed,) = await stepped(host, other, 2, LostInput("stuck"))
        assert (failed.view.value_json, failed.view.settled) == ('"failed"', True)
        assert await outcomes(host, other, 3, LostInput("stuck")) == (Skipped(),)

    async def test_services_can_be_stopped(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        await stepped(host, at, 1, send("STICK"))
        host.commit(at, 2)
        host.stop_children(at)
        assert await host.step(at, 2, [], None) == LostChildren(("stuck",))
        (failed,) = await stepped(host, at, 2, LostInput("stuck"))
        assert (failed.view.value_json, failed.view.settled) == ('"failed"', True)

    async def test_a_child_that_is_another_instance_is_a_message(
        self, host: MachineHost, at: Address
    ) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("PARENT"))
        assert step.messages == (Spawn("kid", KID, None, '{"count":7}'),)
        assert (step.view.settled, step.effects) == (True, 0)

    async def test_messages_leave_with_the_step_that_sends_them(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        _, told, report = await stepped(host, at, 1, send("PARENT"), send("TELL"), send("REPORT"))
        assert told.messages == (SendTo(KID, '{"type":"TOGGLE"}'),)
        assert report.messages == (SendParent('{"type":"REPORTED"}'),)
        host.abort(at, 3)
        (again,) = await stepped(host, at, 3, send("REPORT"))
        assert again == report

    async def test_a_delayed_message_is_a_timer_with_an_address(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        _, later, never = await stepped(host, at, 1, send("PARENT"), send("LATER"), send("NEVER"))
        (timer,) = later.timers
        assert isinstance(timer, SetTimer)
        assert (timer.delay_ms, timer.event_json, timer.to) == (1000, '{"type":"TOGGLE"}', KID)
        assert (later.messages, never.timers) == ((), (CancelTimer(timer.id),))

    async def test_the_end_of_a_child_is_a_step(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        await stepped(host, at, 1, send("PARENT"))
        (done,) = await stepped(host, at, 2, EndInput("kid", KID, False, "7"))
        assert done.view.value_json == '"off"'
        assert "kid" in done.event_json
        assert await outcomes(host, at, 3, EndInput("kid", KID, False, "7")) == (Skipped(),)

    async def test_the_failure_of_a_child_is_a_step(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        await stepped(host, at, 1, send("PARENT"))
        (failed,) = await stepped(host, at, 2, EndInput("kid", KID, True, '{"message":"no"}'))
        assert failed.view.value_json == '"failed"'

    async def test_the_end_of_somebody_elses_child_is_skipped(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        await stepped(host, at, 1, send("PARENT"))
        stranger = EndInput("kid", Ref("sample", "kid-2"), False, None)
        assert await outcomes(host, at, 2, stranger) == (Skipped(),)
        await stepped(host, at, 2, send("LEAVE"))
        assert await outcomes(host, at, 3, EndInput("kid", KID, False, None)) == (Skipped(),)

    async def test_children_outlive_the_host(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("PARENT"))
        host.evict(at)
        reply = await host.step(at, 2, [send("TELL")], Resume("one", step.snapshot_json))
        assert isinstance(reply, Outcomes)
        assert isinstance(reply.items[0], Step)
        assert reply.items[0].messages == (SendTo(KID, '{"type":"TOGGLE"}'),)
        (done,) = await stepped(host, at, 3, EndInput("kid", KID, False, None))
        assert done.view.value_json == '"off"'

    async def test_a_machine_can_end(self, host: MachineHost, at: Address) -> None:
        await begun(host, at)
        (step,) = await stepped(host, at, 1, send("FINISH"))
        assert step.view.status is Status.DONE
        host.commit(at, 2)
        assert await outcomes(host, at, 2, send("TOGGLE")) == (Skipped(),)

    async def test_reading_is_authorised(self, host: MachineHost, at: Address) -> None:
        step = await begun(host, at)
        assert await host.allow_read(at, 1, OK, None) is True
        assert await host.allow_read(at, 1, NOT_OK, None) is False
        assert await host.allow_read(at, 9, OK, None) is None
        assert await host.allow_read(at, 9, OK, Resume("one", step.snapshot_json)) is True
        assert await host.allow_read(at, 9, NOT_OK, Resume("one", step.snapshot_json)) is False

    async def test_what_may_be_done_can_be_asked_without_doing_it(
        self, host: MachineHost, at: Address
    ) -> None:
        step = await begun(host, at)
        now = ("one", step.snapshot_json)
        for question in (
            ReadQuestion(*now),
            EventQuestion(*now, '{"type":"TOGGLE"}'),
            EventQuestion(*now, '"TOGGLE"'),
            CreationQuestion("two", None),
            CreationQuestion("two", '{"count":7}'),
        ):
            assert await host.judge(at, question, OK) is None
            assert await host.judge(at, question, NOT_OK) == Denied("")
        reserved = await host.judge(at, EventQuestion(*now, '{"type":"xstate.init"}'), OK)
        assert isinstance(reserved, Failed)
        assert reserved.reason == "EVENT_RESERVED"

    async def test_asking_leaves_what_is_held_as_it_is(self, host: MachineHost, at: Address) -> None:
        step = await begun(host, at)
        (toggled,) = await stepped(host, at, 1, send("TOGGLE"))
        await host.judge(at, EventQuestion("one", step.snapshot_json, '"TOGGLE"'), OK)
        host.commit(at, 2)
        (again,) = await stepped(host, at, 2, send("TOGGLE"))
        assert (toggled.view.value_json, again.view.value_json) == ('"on"', '"off"')

    async def test_a_host_that_holds_nothing_can_be_asked(self, host: MachineHost, at: Address) -> None:
        step = await begun(host, at)
        host.evict(at)
        assert await host.judge(at, ReadQuestion("one", step.snapshot_json), OK) is None
        assert await host.step(at, 1, [send("TOGGLE")], None) == NeedSnapshot()


async def begun(host: MachineHost, at: Address) -> Step:
    """Start an instance and commit it."""
    step = await host.start(at, "one", None, OK)
    assert isinstance(step, Step), step
    host.commit(at, 1)
    return step


async def outcomes(host: MachineHost, at: Address, revision: int, *inputs: Input) -> tuple[Outcome, ...]:
    reply = await host.step(at, revision, inputs, None)
    assert isinstance(reply, Outcomes), reply
    return reply.items


async def stepped(host: MachineHost, at: Address, revision: int, *inputs: Input) -> list[Step]:
    """Take inputs that all succeed."""
    steps = []
    for outcome in await outcomes(host, at, revision, *inputs):
        assert isinstance(outcome, Step), outcome
        steps.append(outcome)
    assert len(steps) == len(inputs)
    return steps
