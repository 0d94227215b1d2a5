"""Scenarios in which services do most of the work: sagas, retries, polling, batches, queues."""

from __future__ import annotations

import pytest
from tests.machines.kit import Scene, scenario

from stateward_server.model.errors import FailedPrecondition


@scenario("credit-check.ts")
async def three_bureaus_agree(scene: Scene) -> None:
    await scene.begin({"applicant": "rich"})
    assert scene.value == "granted"
    assert scene.public == {
        "applicant": "rich",
        "scores": {"north": 805, "west": 804, "east": 804},
        "average": 804,
    }
    assert scene.output == {"average": 804}


@scenario("credit-check.ts")
async def a_bureau_is_closed(scene: Scene) -> None:
    await scene.begin({"applicant": "poor"}, name="poor")
    assert scene.value == "refused"
    await scene.begin({"applicant": "unlucky"})
    assert scene.value == "review"
    assert sorted(scene.public["scores"]) == ["east", "north"]
    await scene.send("REVIEWED", ok=True)
    assert scene.value == "granted"


@scenario("credit-check.ts")
async def nobody_reviews(scene: Scene) -> None:
    await scene.begin({"applicant": "fair"})
    assert scene.tags == ("human",)
    await scene.advance("5d")
    assert scene.value == "refused"


@scenario("order-saga.ts")
async def an_order_is_delivered(scene: Scene) -> None:
    await scene.begin()
    await scene.send("PLACE")
    assert scene.value == "placed"
    assert scene.public["done"] == ["stock", "payment", "shipping"]
    await scene.advance("30m")
    assert scene.value == "delivered"


@scenario("order-saga.ts")
async def what_was_done_is_undone_in_reverse(scene: Scene) -> None:
    for step, undone in (("stock", []), ("payment", ["stock"]), ("shipping", ["payment", "stock"])):
        await scene.begin({"failAt": step}, name=step)
        await scene.send("PLACE")
        assert scene.value == "failed"
        assert scene.public["undone"] == undone
        assert scene.public["reason"] == f"{step} is not possible"


@scenario("order-saga.ts")
async def a_placed_order_is_taken_back(scene: Scene) -> None:
    await scene.begin()
    await scene.send("PLACE")
    await scene.advance("10m")
    await scene.send("CANCEL")
    assert scene.value == "failed"
    assert scene.public["undone"] == ["shipping", "payment", "stock"]
    assert scene.instance.logs == ["cancelled by the customer"]


@scenario("payment-hold.ts")
async def a_hold_is_captured_in_parts(scene: Scene) -> None:
    await scene.begin({"amount": 100})
    assert scene.value == "held"
    assert scene.tags == ("money",)
    await scene.advance("6d")
    await scene.send("CAPTURE", amount=40)
    await scene.send("CAPTURE", amount=61)
    assert await scene.timers() == [7 * 24 * 3_600_000]
    await scene.advance("6d")
    await scene.send("CAPTURE", amount=60)
    assert scene.value == "captured"
    assert scene.public == {"amount": 100, "captured": 100, "released": 0}


@scenario("payment-hold.ts")
async def a_hold_ends(scene: Scene) -> None:
    await scene.begin({"amount": 5000}, name="rich")
    assert scene.value == "declined"
    await scene.begin({"amount": 100})
    await scene.send("CAPTURE", amount=30)
    await scene.advance("7d")
    assert scene.value == "expired"
    assert scene.public["released"] == 70
    with pytest.raises(FailedPrecondition, match="ended"):
        await scene.instance.send("CAPTURE", amount=70)


@scenario("webhook-delivery.ts")
async def pauses_double(scene: Scene) -> None:
    await scene.begin({"worksFrom": 5})
    assert scene.public["attempt"] == 1
    for attempt, pause in enumerate((1_000, 2_000, 4_000, 8_000), start=1):
        assert scene.value == "waiting"
        assert await scene.timers() == [pause]
        await scene.advance(pause - 1)
        assert scene.public["attempt"] == attempt
        await scene.advance(1)
    assert scene.value == "delivered"


@scenario("webhook-delivery.ts")
async def six_attempts_are_enough(scene: Scene) -> None:
    await scene.begin({"worksFrom": 8})
    await scene.advance("1h")
    assert scene.value == "parked"
    assert scene.tags == ("human",)
    assert scene.public["error"] == "503 at attempt 6"
    await scene.send("AGAIN")
    assert scene.value == "waiting"
    await scene.send("AGAIN")
    assert scene.value == "delivered"
    assert scene.public["attempt"] == 8


@scenario("provisioning.ts")
async def asked_until_it_is_there(scene: Scene) -> None:
    await scene.begin({"readyAfter": 4})
    assert scene.value == {"coming": "pausing"}
    assert await scene.timers() == [17_000, 600_000]
    await scene.advance("51s")
    assert scene.value == "ready"
    assert scene.public == {"polls": 4, "readyAfter": 4, "address": "192.0.2.7"}
    assert await scene.timers() == []
    await scene.send("ABORT")
    assert scene.value == "gone"


@scenario("provisioning.ts")
async def ten_minutes_at_most(scene: Scene) -> None:
    await scene.begin({"readyAfter": 99})
    await scene.advance("9m 59s")
    assert scene.value == {"coming": "pausing"}
    await scene.advance("1s")
    assert scene.value == "gone"
    assert scene.public["polls"] == 36


@scenario("math-batch.ts")
async def a_batch(scene: Scene) -> None:
    await scene.begin()
    await scene.send("START", items=["1+2", "3*4", "1/0", "what", "9/3"])
    assert scene.public == {"todo": [], "results": {"1+2": 3, "3*4": 12, "9/3": 3}, "errors": ["1/0", "what"]}
    assert scene.output == {"sum": 18, "errors": 2}
    assert scene.instance.values.count("reckoning") == 5


@scenario("account-opening.ts")
async def one_check_used_three_times(scene: Scene) -> None:
    await scene.begin()
    await scene.send("OPEN")
    assert scene.value == "opened"
    assert scene.public["passed"] == ["identity", "address", "sanctions"]
    await scene.begin({"public": {"doubts": ["address"], "passed": []}}, name="doubtful")
    await scene.send("OPEN")
    assert scene.value == "refused"
    assert scene.public["failed"] == "address"


@scenario("job-queue.ts")
async def two_at_a_time(scene: Scene) -> None:
    await scene.begin()
    for job in ("a", "b", "c", "bad-d"):
        await scene.send("ADD", job=job)
    assert scene.public["waiting"] == ["c", "bad-d"]
    await scene.send("FINISH", job="b")
    assert scene.public["done"] == ["b"]
    assert scene.public["waiting"] == ["bad-d"]
    await scene.send("FINISH", job="a")
    await scene.send("FINISH", job="bad-d")
    await scene.send("FINISH", job="c")
    assert scene.public["done"] == ["b", "a", "c"]
    assert scene.public["failed"] == ["bad-d"]
    assert scene.instance.state.context["running"] == {}


@scenario("job-queue.ts")
async def five_in_a_minute(scene: Scene) -> None:
    await scene.begin()
    for number in range(7):
        await scene.send("ADD", job=f"j{number}")
        await scene.send("FINISH", job=f"j{number}")
    assert scene.public["started"] == 5
    assert scene.public["tokens"] == 0
    assert scene.public["waiting"] == ["j5", "j6"]
    await scene.advance("59s")
    assert scene.public["started"] == 5
    await scene.advance("1s")
    assert scene.public["started"] == 7
    assert scene.public["tokens"] == 3


@scenario("parcel.v4.ts")
async def a_parcel_arrives(scene: Scene) -> None:
    await scene.begin()
    await scene.send("PACK", items=["book", "cup"])
    assert scene.value == "posted"
    assert scene.public["packed"] == ["book", "cup"]
    await scene.advance("1w")
    assert scene.value == "arrived"


@scenario("parcel.v4.ts")
async def a_parcel_is_unpacked_in_reverse(scene: Scene) -> None:
    await scene.begin()
    await scene.send("PACK", items=["cup", "glass", "book"])
    assert scene.value == "back"
    assert scene.public["broken"] == "glass is not taken"
    assert scene.public["undone"] == ["book", "glass", "cup"]
