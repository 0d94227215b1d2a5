"""Scenarios in which time does most of the work: approvals, deadlines, reminders, years of billing."""

from __future__ import annotations

import pytest
from tests.machines.kit import Scene, scenario

from stateward_server.model.errors import PermissionDenied

DAY = 24 * 3_600_000


@scenario("expense-approval.ts")
async def small_ones_pass(scene: Scene) -> None:
    await scene.begin()
    await scene.send("SUBMIT", amount=40, auth={"role": "employee"})
    assert scene.value == "approved"
    assert scene.done
    assert scene.output == {"decidedBy": "the rules"}


@scenario("expense-approval.ts")
async def slow_ones_are_escalated(scene: Scene) -> None:
    employee, lead, director = ({"role": role} for role in ("employee", "lead", "director"))
    await scene.begin()
    await scene.send("SUBMIT", amount=900, auth=employee)
    assert scene.value == {"waiting": "quiet"}
    assert scene.tags == ("open", "undecided")
    assert await scene.timers() == [DAY, 3 * DAY]
    await scene.advance("2d 1h")
    assert scene.public == {"amount": 900, "approver": "lead", "reminders": 2}
    with pytest.raises(PermissionDenied):
        await scene.instance.send("APPROVE", auth=employee)
    await scene.advance("1d")
    assert scene.public["approver"] == "director"
    with pytest.raises(PermissionDenied):
        await scene.instance.send("APPROVE", auth=lead)
    await scene.send("APPROVE", auth=director)
    assert scene.value == "approved"
    assert scene.output == {"decidedBy": "director"}
    assert await scene.timers() == []


@scenario("expense-approval.ts")
async def nobody_decides(scene: Scene) -> None:
    await scene.begin()
    await scene.send("SUBMIT", amount=900, auth={"role": "employee"})
    await scene.send("WITHDRAW", auth={"role": "employee"})
    assert await scene.timers() == []
    await scene.send("SUBMIT", amount=901, auth={"role": "employee"})
    await scene.advance("1w")
    assert scene.value == "rejected"
    assert scene.public["reminders"] == 4
    assert scene.instance.logs.count("reminder") == 4
    assert scene.instance.logs[-1] == "nobody decided"


@scenario("patient-monitor.ts")
async def three_bad_readings(scene: Scene) -> None:
    await scene.begin()
    for reading in (70, 120, 30, 80, 110, 115, 40):
        assert scene.tags == ("calm",)
        await scene.advance("5m")
        assert scene.value == {"watching": "asking"}
        await scene.send("READING", value=reading)
    assert scene.value == {"alarm": "readings"}
    assert scene.tags == ("urgent",)
    assert scene.public == {"checks": 7, "bad": 3, "last": 40}
    assert await scene.timers() == []
    await scene.send("ACKNOWLEDGE")
    assert scene.value == {"watching": "idle"}
    assert scene.public["bad"] == 0


@scenario("patient-monitor.ts")
async def a_silent_sensor(scene: Scene) -> None:
    await scene.begin()
    await scene.advance("5m 59s")
    assert scene.value == {"watching": "asking"}
    await scene.advance("1s")
    assert scene.value == {"alarm": "silent"}
    assert scene.tags == ("technical", "urgent")
    await scene.send("ACKNOWLEDGE")
    await scene.send("DISCHARGE")
    assert scene.done
    assert await scene.timers() == []


@scenario("subscription.ts")
async def ten_years(scene: Scene) -> None:
    await scene.begin()
    await scene.advance("3650d")
    assert scene.value == "running"
    assert scene.public["periods"] == 122
    assert await scene.timers() == [10 * DAY]
    assert len(scene.instance.history) == 2 + 2 * 121
    await scene.send("CANCEL")
    assert scene.output == {"periods": 122}


@scenario("subscription.ts")
async def a_card_expires(scene: Scene) -> None:
    await scene.begin({"public": {"card": "expires-at-3", "periods": 0, "paid": 0, "attempts": 0}})
    await scene.advance("90d")
    assert scene.value == "overdue"
    assert scene.public["attempts"] == 1
    assert await scene.timers() == [2 * DAY]
    await scene.advance("2d")
    assert await scene.timers() == [4 * DAY]
    await scene.send("NEW_CARD", card="good")
    assert scene.value == "running"
    assert scene.public == {"card": "good", "periods": 4, "paid": 4, "attempts": 0}
    await scene.send("NEW_CARD", card="expires-at-4")
    await scene.advance("60d")
    assert scene.value == "ended"
    assert [s.event["type"] for s in scene.instance.history].count(
        "xstate.after.dunning.subscription.overdue"
    ) == 4


@scenario("auction.ts")
async def a_late_bid_moves_the_deadline(scene: Scene) -> None:
    await scene.begin()
    await scene.send("BID", by="ann", amount=100)
    await scene.send("BID", by="bob", amount=90)
    await scene.advance("55m")
    assert scene.tags == ("hurry",)
    await scene.advance("4m")
    await scene.send("BID", by="bob", amount=120)
    assert await scene.timers() == [5 * 60_000]
    await scene.advance("4m 59s")
    assert scene.value == {"open": "late"}
    await scene.advance("1s")
    assert scene.value == "payment"
    await scene.send("PAID")
    assert scene.public == {"best": {"by": "bob", "amount": 120}, "bids": 2, "extended": 1}
    assert scene.output == {"by": "bob", "amount": 120}


@scenario("auction.ts")
async def nobody_bids_or_pays(scene: Scene) -> None:
    await scene.begin(name="empty")
    await scene.advance("1h")
    assert scene.value == "unsold"
    await scene.begin(name="unpaid")
    await scene.send("BID", by="ann", amount=100)
    await scene.advance("3d")
    assert scene.value == "unsold"


@scenario("trial-mails.ts")
async def mails_come_once(scene: Scene) -> None:
    await scene.begin()
    sent = []
    for _ in range(8):
        sent.append(len(scene.public["sent"]))
        await scene.advance("1d")
    assert sent == [1, 2, 2, 3, 3, 3, 4, 5]
    assert scene.public["sent"] == ["welcome", "tips", "stories", "one day left", "farewell"]
    assert scene.done
    assert scene.instance.logs == ["trial over"]


@scenario("trial-mails.ts")
async def no_mail_after_no(scene: Scene) -> None:
    await scene.begin()
    await scene.advance("1d")
    await scene.send("UNSUBSCRIBED")
    assert await scene.timers() == [7 * DAY]
    await scene.advance("6d")
    await scene.send("BOUGHT")
    assert scene.value == "customer"
    assert scene.public["sent"] == ["welcome", "tips"]


@scenario("support-ticket.ts")
async def a_ticket_climbs(scene: Scene) -> None:
    await scene.begin()
    await scene.advance("8h")
    assert scene.public["level"] == 2
    await scene.send("agent.note", text="looking")
    await scene.send("agent.away")
    await scene.send("agentless")
    await scene.advance("4h")
    await scene.advance("59m")
    assert scene.value == "open"
    await scene.advance("1m")
    assert scene.value == "breached"
    assert scene.tags == ("ours", "urgent")
    await scene.send("ANSWER")
    await scene.advance("72h")
    assert scene.value == "closed"
    await scene.send("REPLY")
    assert scene.public == {"level": 1, "answers": 3, "reopened": 1}
    await scene.send("SOLVED")
    await scene.advance("1w")
    assert scene.done


@scenario("leave-request.v4.ts")
async def a_request_is_nudged(scene: Scene) -> None:
    await scene.begin()
    await scene.send("ASK", days=10)
    assert scene.value == "asked"
    assert await scene.timers() == [DAY, 7 * DAY]
    await scene.advance("2d 1h")
    assert scene.public == {"days": 10, "nudges": 2}
    assert await scene.timers() == [DAY - 3_600_000, 5 * DAY - 3_600_000]
    await scene.send("YES", by="lead")
    assert scene.value == "granted"
    assert scene.public == {"days": 10, "nudges": 2, "by": "lead"}
    assert await scene.timers() == []


@scenario("leave-request.v4.ts")
async def a_request_is_forgotten(scene: Scene) -> None:
    await scene.begin()
    await scene.send("ASK", days=10)
    await scene.advance("8d")
    assert scene.value == "refused"
    assert scene.public["nudges"] == 3
    assert scene.instance.logs == ["nobody listens"]
    await scene.begin(name="short")
    await scene.send("ASK", days=1)
    assert scene.value == "granted"
    assert await scene.timers() == []


@scenario("car-auction.v4.ts")
async def a_car_is_sold_twice(scene: Scene) -> None:
    await scene.begin()
    await scene.send("INSPECT", mileage=40_000)
    assert scene.tags == ("public",)
    await scene.send("BID", by="ann", amount=5)
    await scene.send("BID", by="bob", amount=4)
    await scene.advance("1h")
    assert scene.value == "hammer"
    assert scene.public == {"fair": True, "bid": 5, "bidder": "ann", "rounds": 1}
    await scene.send("AGAIN")
    await scene.send("AGAIN")
    assert scene.value == "sold"
    assert scene.public["rounds"] == 3
    await scene.advance("3d")
    assert scene.value == "bidding"
    await scene.send("BID", by="bob", amount=6)
    await scene.advance("1h")
    await scene.send("AGAIN")
    await scene.send("AGAIN")
    await scene.send("PAY")
    assert scene.done
    assert scene.public["bidder"] == "bob"
