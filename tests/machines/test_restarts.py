"""What a workflow goes through when its server, or its machine's process, goes away in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.machines.kit import WORKFLOWS

from stateward_server.testing.lab import Lab, LabInstance

DAY = 24 * 3_600_000
LINGERS = """
import { createMachine, assign, fromPromise } from "xstate";
export const allowRead = () => true, allowWrite = () => true;
export default createMachine({
  context: { public: {} }, initial: "idle",
  states: {
    idle: { on: { GO: "asking" } },
    asking: {
      invoke: {
        id: "ask", src: fromPromise(() => new Promise(() => {})), onDone: "answered",
        onError: { target: "lost", actions: assign({ public: ({ event }) => ({ why: event.error.name }) }) },
      },
      on: { STATUS: {} },
    },
    answered: {}, lost: {},
  },
});
"""


async def on(lab: Lab, file: str, context: object = None) -> LabInstance:
    machine = await lab.machine(WORKFLOWS / file)
    return await machine.create("one", context=context)


async def test_a_history_state_and_timers_outlive_a_restart(tmp_path: Path) -> None:
    async with Lab.open(data=tmp_path / "data") as lab:
        trip = await on(lab, "trip-booking.ts")
        for event in ("FLIGHT_HELD", "FLIGHT_PAID", "HOTEL_HELD", "CHANGE_DATES"):
            await trip.send(event)
        await lab.restart(down="1h")
        assert trip.value == "dates"
        await trip.send("DATES", dates="May")
        assert trip.value == {"booking": {"flight": "booked", "hotel": "held", "car": "open"}}
        await lab.restart(down="19m")
        assert trip.value["booking"]["hotel"] == "held"
        await lab.advance("1m")
        assert trip.value["booking"]["hotel"] == "open"


async def test_timers_that_came_due_meanwhile_fire_late_and_in_order(tmp_path: Path) -> None:
    async with Lab.open(data=tmp_path / "data") as lab:
        trial = await on(lab, "trial-mails.ts")
        await lab.restart(down="6d 1h")
        # The second of two mails waits two days from the moment the first was really sent.
        assert trial.public["sent"] == ["welcome", "tips", "one day left"]
        assert [timer.in_ms for timer in await trial.timers()] == [DAY - 3_600_000, 2 * DAY]
        await lab.advance("1d")
        assert trial.public["sent"][-1] == "farewell"


@pytest.mark.parametrize("down", ["0s", "3d"])
async def test_a_delayed_event_can_be_cancelled_after_a_restart(down: str) -> None:
    async with Lab.open() as lab:
        payment = await on(lab, "payment-hold.ts", {"amount": 100})
        await lab.restart(down=down)
        await payment.send("CAPTURE", amount=10)
        assert [timer.in_ms for timer in await payment.timers()] == [7 * DAY]
        await payment.send("CAPTURE", amount=90)
        assert await payment.timers() == []


async def test_a_saga_is_undone_after_a_restart(tmp_path: Path) -> None:
    async with Lab.open(data=tmp_path / "data") as lab:
        order = await on(lab, "order-saga.ts")
        await order.send("PLACE")
        await lab.restart(down="29m")
        await order.send("CANCEL")
        assert order.value == "failed"
        assert order.public["undone"] == ["shipping", "payment", "stock"]


async def test_a_connection_lost_with_its_process_is_made_anew() -> None:
    async with Lab.open() as lab:
        machine = await lab.machine(WORKFLOWS / "thermostat.ts")
        device = await machine.create("one")
        await device.send("CONNECT")
        await lab.kill(machine)
        assert device.value == "waiting"
        assert device.state.cause == "lost"
        assert device.public["lost"] == 1
        await device.send("CONNECT")
        assert device.public == {"target": 19, "actual": 19, "lost": 1}
        await device.send("SET", target=25)
        assert device.public["actual"] == 25


async def test_a_connection_ends_at_the_settle_limit() -> None:
    async with Lab.open() as lab:
        device = await on(lab, "thermostat.ts")
        await device.send("CONNECT")
        await lab.advance("89s")
        await device.send("SET", target=20)
        await lab.advance("89s")
        assert device.value == "online"
        await lab.advance("1s")
        assert device.value == "waiting"
        assert device.logs == ["the connection is closed"]


async def test_a_dialogue_in_a_child_machine_is_lost_and_taken_up_again() -> None:
    async with Lab.open() as lab:
        patient = await on(lab, "patient-onboarding.ts")
        await patient.send("NAME", name="Ada")
        await patient.send("INSURANCE", number="7")
        assert patient.value == "consenting"
        await lab.restart()
        assert patient.value == {"filling": "insurance"}
        assert [state.cause for state in patient.history] == ["created", "event", "event", "lost"]
        await patient.send("INSURANCE", number="8")
        await patient.send("SIGN", by="Ada")
        assert patient.value == "admitted"


async def test_spawned_jobs_are_lost_without_ending_the_queue() -> None:
    async with Lab.open() as lab:
        queue = await on(lab, "job-queue.ts")
        for job in ("a", "b", "c"):
            await queue.send("ADD", job=job)
        await lab.restart(down="30s")
        assert [state.event["type"] for state in queue.history[-2:]] == [
            "xstate.error.actor.a",
            "xstate.error.actor.b",
        ]
        assert queue.state.status == "active"
        assert queue.state.settled
        await lab.advance("30s")
        assert queue.public["tokens"] == 5


@pytest.mark.parametrize("how", ["kill", "restart"])
async def test_a_lost_service_is_an_error_event_before_the_next_event(how: str) -> None:
    async with Lab.open() as lab:
        machine = await lab.machine(LINGERS)
        one = await machine.create("one")
        await one.send("GO")
        await one.send("STATUS")
        assert not one.state.settled
        await (lab.kill(machine) if how == "kill" else lab.restart())
        await one.send("STATUS")
        assert [state.event["type"] for state in one.history] == [
            "xstate.init",
            "GO",
            "STATUS",
            "xstate.error.actor.ask",
            "STATUS",
        ]
        assert one.value == "lost"
        assert one.public == {"why": "ServiceLost"}


async def test_a_version_4_machine_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with Lab.open(data=tmp_path / "data") as lab:
        leave = await on(lab, "leave-request.v4.ts")
        device = await on(lab, "device-setup.v4.ts")
        await leave.send("ASK", days=10)
        for event in ("WIFI", "ACCOUNT", "HELP"):
            await device.send(event)
        await lab.restart(down="1d")
        assert leave.public["nudges"] == 1
        await device.send("THANKS")
        assert device.value == {"setup": {"network": "connecting", "account": "unconfirmed"}}
        await lab.advance("15m")
        assert device.value == {"setup": {"network": "off", "account": "none"}}
        await leave.send("YES", by="lead")
        assert await leave.timers() == []
