"""Scenarios with regions side by side, history, and dialogues inside."""

from __future__ import annotations

from tests.machines.kit import Scene, scenario


@scenario("trip-booking.ts")
async def the_dates_change_in_between(scene: Scene) -> None:
    await scene.begin()
    await scene.send("FLIGHT_HELD")
    await scene.send("FLIGHT_PAID")
    await scene.send("HOTEL_HELD")
    assert scene.value == {"booking": {"flight": "booked", "hotel": "held", "car": "open"}}
    assert await scene.timers() == [20 * 60_000]
    await scene.send("CHANGE_DATES")
    assert await scene.timers() == []
    await scene.send("DATES", dates="May")
    assert scene.value == {"booking": {"flight": "booked", "hotel": "held", "car": "open"}}
    await scene.advance("20m")
    assert scene.value["booking"]["hotel"] == "open"
    for event in ("HOTEL_HELD", "CAR_HELD", "CAR_PAID", "HOTEL_PAID"):
        await scene.send(event)
    assert scene.value == "booked"
    assert scene.done
    assert scene.public == {"dates": "May", "changes": 1}


@scenario("trip-booking.ts")
async def a_trip_is_given_up(scene: Scene) -> None:
    await scene.begin()
    await scene.send("CAR_HELD")
    assert scene.tags == ("held",)
    await scene.send("GIVE_UP")
    assert scene.value == "abandoned"
    assert await scene.timers() == []


@scenario("release-checklist.ts")
async def all_is_ready(scene: Scene) -> None:
    await scene.begin()
    await scene.send("SHIP")
    await scene.send("TESTS_FAILED")
    assert scene.tags == ("blocked",)
    await scene.send("SIGN", by="ann")
    await scene.send("DOCS")
    await scene.send("SHIP")
    assert scene.public["signed"] == []
    assert "preparing.tests.broken" in scene.instance.state.states
    for event in ("FIXED", "TESTS"):
        await scene.send(event)
    await scene.send("SIGN", by="ann")
    await scene.send("SIGN", by="bob")
    assert scene.value == "ready"
    await scene.send("SHIP")
    assert scene.done


@scenario("release-checklist.ts")
async def a_release_is_late(scene: Scene) -> None:
    await scene.begin()
    await scene.advance("13d")
    await scene.send("DOCS")
    await scene.advance("1d")
    assert scene.value == "late"
    await scene.send("SHIP")
    assert scene.value == "shipped"
    await scene.begin(name="early")
    await scene.send("DOCS")
    await scene.send("SHIP")
    assert scene.value == "shipped"


@scenario("patient-onboarding.ts")
async def a_form_is_taken_up_again(scene: Scene) -> None:
    await scene.begin()
    await scene.send("NAME", name="Ada")
    await scene.send("PAUSE")
    await scene.advance("5d")
    assert scene.public["reminders"] == 2
    await scene.send("CONTINUE")
    assert scene.value == {"filling": "insurance"}
    await scene.send("BACK")
    await scene.send("PAUSE")
    await scene.send("CONTINUE")
    assert scene.value == {"filling": "name"}
    await scene.send("NAME", name="Ada L.")
    await scene.send("INSURANCE", number="7")
    assert scene.value == "consenting"
    assert not scene.instance.state.settled
    await scene.send("SIGN", by="Ada")
    assert scene.value == "admitted"
    assert scene.public == {"reminders": 2, "name": "Ada L.", "insured": "7", "signed": "Ada for Ada L."}


@scenario("patient-onboarding.ts")
async def a_form_is_given_up(scene: Scene) -> None:
    await scene.begin(name="forgotten")
    await scene.send("PAUSE")
    await scene.advance("30d")
    assert scene.value == "given-up"
    assert scene.public["reminders"] == 3
    await scene.begin(name="refused")
    await scene.send("NAME", name="Ada")
    await scene.send("INSURANCE", number="7")
    await scene.send("DECLINE")
    assert scene.value == "given-up"


@scenario("thermostat.ts")
async def a_device_reports(scene: Scene) -> None:
    await scene.begin()
    await scene.send("CONNECT")
    assert scene.tags == ("connected",)
    assert scene.instance.state.settled is False
    assert scene.public == {"target": 19, "actual": 19, "lost": 0}
    await scene.send("SET", target=23)
    assert scene.public["actual"] == 23
    await scene.send("DISCONNECT")
    assert [state.settled for state in scene.instance.history][-2:] == [False, True]
    assert scene.instance.logs == ["the connection is closed"]


@scenario("device-setup.v4.ts")
async def help_in_between(scene: Scene) -> None:
    await scene.begin()
    await scene.send("WIFI")
    await scene.send("ACCOUNT")
    assert scene.tags == ("waiting",)
    await scene.send("HELP")
    assert await scene.timers() == []
    await scene.send("THANKS")
    assert scene.value == {"setup": {"network": "connecting", "account": "unconfirmed"}}
    await scene.advance("30s")
    assert scene.value == {"setup": {"network": "off", "account": "unconfirmed"}}
    for event in ("WIFI", "SIGNAL", "CODE"):
        await scene.send(event)
    assert scene.value == "ready"
    assert scene.public == {"helped": 1}
    await scene.send("RESET")
    assert scene.value == {"setup": {"network": "off", "account": "none"}}
