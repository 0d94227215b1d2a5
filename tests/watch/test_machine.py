"""The watch of a whole machine: what matches, then what enters, changes and leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.watch.fleet import ALL, HOT, INDEXED, Fleet, apply, told
from tests.watch.kit import KEY, nudge

from stateward_server.model.errors import InvalidArgument, OutOfRange, ResourceExhausted, StatewardError
from stateward_server.model.frame import Draining, Filter, Idle, Page, Stirred
from stateward_server.model.index import Comparison, IndexCondition
from stateward_server.model.names import InstanceUid
from stateward_server.watch import members
from stateward_server.watch.tokens import MachinePosition, Position, ResumeTokens, watched

LARGE = '"' + "x" * 390_000 + '"'


def where(*conditions: tuple[str, str]) -> Filter:
    """What the index of the fleet's tags must have."""
    return Filter(
        indexes=frozenset(IndexCondition("tag", Comparison(sign), value) for sign, value in conditions)
    )


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


# ------------------------------------------------------------------ the snapshot


async def test_the_snapshot_of_nothing_is_one_complete_page(fleet: Fleet):
    reader = fleet.watching()
    [page] = await reader.all()
    assert isinstance(page, Page)
    assert (page.entries, page.complete) == ((), True)
    await reader.close()


async def test_the_snapshot_has_what_matches_in_the_order_of_creation(fleet: Fleet):
    for name, tag in (("b", "hot"), ("a", "cold"), ("c", "hot")):
        fleet.put(name, tag)
    reader = fleet.watching(HOT)
    assert told(await reader.all()) == ["+b1", "+c1"]
    await reader.close()


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (ALL, ["+a1", "+b1", "+c2"]),
        (Filter(tags=frozenset({"hot", "cold"})), ["+a1", "+b1"]),
        (Filter(states=frozenset({"s2"})), ["+c2"]),
        (Filter(states=frozenset({"s1"}), tags=frozenset({"hot"})), ["+a1"]),
        (Filter(states=frozenset({"s2"}), tags=frozenset({"hot"})), []),
        (INDEXED, ["+a1"]),
        (where(("!=", "hot")), ["+b1"]),
        (where((">=", "cold")), ["+a1", "+b1"]),
        (where((">", "cold"), ("<", "hotter")), ["+a1"]),
        (where(("<", "cold")), []),
        (replace(INDEXED, states=frozenset({"s2"})), []),
    ],
)
async def test_one_of_the_states_and_one_of_the_tags_must_be_active_and_every_condition_hold(
    fleet: Fleet, chosen: Filter, names: list[str]
):
    fleet.put("a", "hot")
    fleet.put("b", "cold")
    fleet.put("c")
    fleet.put("c")
    reader = fleet.watching(chosen)
    assert told(await reader.all()) == names
    await reader.close()


async def test_only_the_last_page_is_complete_and_none_repeats(fleet: Fleet):
    for number in range(150):
        fleet.put(f"i{number}")
    reader = fleet.watching()
    pages = await reader.all()
    assert [page.complete for page in pages if isinstance(page, Page)] == [False, False, True]
    assert told(pages) == [f"+i{number}1" for number in range(150)]
    await reader.close()


async def test_pages_and_changes_of_large_states_are_such_as_a_client_can_take(fleet: Fleet):
    for name in "abcdef":
        fleet.put(name, public=LARGE)
    reader = fleet.watching()
    frames = await reader.all()
    for name in "abcdef":
        fleet.put(name, public=LARGE)
    frames += await reader.all()
    assert told(frames) == [*(f"+{name}1" for name in "abcdef"), *(f"~{name}2" for name in "abcdef")]
    assert len(frames) == 12
    await reader.close()


# ------------------------------------------------------------------ changes


@pytest.mark.parametrize("chosen", [HOT, INDEXED])
async def test_instances_enter_change_leave_and_come_back(fleet: Fleet, chosen: Filter):
    reader = fleet.watching(chosen)
    await reader.all()
    seen = []
    for tags in (["hot"], ["hot"], [], [], ["hot"]):
        fleet.put("a", *tags)
        seen.append(told(await reader.all()))
    assert seen == [["+a1"], ["~a2"], ["-a3"], [], ["+a5"]]
    await reader.close()


async def test_a_deleted_member_leaves_without_a_revision(fleet: Fleet):
    fleet.put("a", "hot")
    fleet.put("b")
    reader = fleet.watching(HOT)
    await reader.all()
    fleet.remove("b")
    fleet.remove("a")
    assert told(await reader.all()) == ["-a0"]
    await reader.close()


async def test_a_name_that_is_used_again_leaves_and_enters(fleet: Fleet):
    fleet.put("a")
    fleet.put("a")
    reader = fleet.watching()
    await reader.all()
    fleet.remove("a")
    fleet.put("a")
    assert told(await reader.all()) == ["-a0", "+a1"]
    await reader.close()


async def test_what_may_not_be_read_does_not_match(fleet: Fleet):
    fleet.put("a")
    fleet.put("b")
    fleet.verdict = lambda instance, entry, _: instance.key.name == "a" and entry.revision != 2
    reader = fleet.watching()
    assert told(await reader.all()) == ["+a1"]
    fleet.put("a")
    fleet.put("b")
    assert told(await reader.all()) == ["-a2"]
    fleet.put("a")
    assert told(await reader.all()) == ["+a3"]
    await reader.close()


async def test_the_machine_is_not_asked_about_what_the_filter_leaves_out(fleet: Fleet):
    fleet.put("a")
    reader = fleet.watching(HOT)
    await reader.all()
    fleet.put("a")
    await reader.all()
    assert fleet.asked == []
    await reader.close()


async def test_other_machines_do_not_show(fleet: Fleet):
    reader = fleet.watching()
    await reader.all()
    fleet.put("a")
    instance, entry = fleet.alive["a"]
    fleet.hub.publish(replace(instance, key=replace(KEY, machine="other")), (entry,), 99)  # type: ignore[arg-type]
    assert told(await reader.all()) == ["+a1"]
    await reader.close()


# ------------------------------------------------------------------ the seam


@pytest.mark.parametrize("chosen", [HOT, INDEXED])
async def test_what_happens_while_pages_are_read_is_told_once(fleet: Fleet, chosen: Filter):
    fleet.put("a", "hot")
    fleet.put("b", "hot")
    acts = [
        lambda: fleet.put("a", "hot"),
        lambda: fleet.put("c", "hot"),
        lambda: fleet.put("b"),
        lambda: fleet.remove("a"),
    ]
    fleet.store.pause = lambda: acts.pop(0)() if acts else None
    reader = fleet.watching(chosen)
    members: dict[str, int] = {}
    apply(await reader.all(), members)
    assert members == {"c": 1}
    await reader.close()


async def test_a_new_instance_that_the_snapshot_shows_is_not_lost_by_the_end_of_the_old_one(fleet: Fleet):
    fleet.put("a")

    def replace_once() -> None:
        fleet.store.pause = None
        fleet.remove("a")
        fleet.put("a")

    fleet.store.pause = replace_once
    reader = fleet.watching()
    assert told(await reader.all()) == ["+a1"]
    await reader.close()


async def test_any_number_of_deletions_in_one_place_is_read_through(fleet: Fleet):
    names = [f"i{number}" for number in range(150)]
    for name in names:
        fleet.put(name)
    reader = fleet.watching()
    await reader.all()
    await reader.close()
    for name in names:
        fleet.remove(name)
    again = fleet.watching(token=reader.token)
    assert told(await again.all()) == [f"-{name}0" for name in names]
    await again.close()


# ------------------------------------------------------------------ resuming


@pytest.mark.parametrize("chosen", [HOT, INDEXED])
async def test_a_resumed_watch_goes_on_where_the_token_stands(fleet: Fleet, chosen: Filter):
    for name in "abc":
        fleet.put(name, "hot")
    first = fleet.watching(chosen)
    await first.all()
    fleet.put("a", "hot")
    await first.all()
    await first.close()
    fleet.put("a", "hot")
    fleet.put("b")
    fleet.remove("c")
    fleet.put("d", "hot")
    second = fleet.watching(chosen, token=first.token)
    assert sorted(told(await second.all())) == ["+d1", "-b2", "-c0", "~a3"]
    await second.close()


async def test_a_token_between_frames_of_one_batch_resumes_right_there(fleet: Fleet):
    reader = fleet.watching()
    await reader.all()
    for name in "abc":
        fleet.put(name, public=LARGE)
    first = await reader.read()
    assert told([first] if first else []) == ["+a1"]
    again = fleet.watching(token=reader.token)
    assert told(await again.all()) == ["+b1", "+c1"]
    await reader.close()
    await again.close()


async def test_a_quiet_watch_moves_its_token_on(fleet: Fleet):
    reader = fleet.watching(HOT)
    await reader.all()
    fleet.put("a")
    nudge(fleet)
    [idle] = await reader.all()
    assert isinstance(idle, Idle)
    assert _place(idle.token).position == 1
    await reader.close()


async def test_an_incomplete_snapshot_begins_anew(fleet: Fleet):
    for number in range(100):
        fleet.put(f"i{number}")
    reader = fleet.watching()
    await reader.read()
    again = fleet.watching(token=reader.token)
    assert len(told(await again.all())) == 100
    await reader.close()
    await again.close()


@pytest.mark.parametrize(
    ("changed", "kind", "reason"),
    [
        ({"store_id": "store-2"}, OutOfRange, "RESUME_TOKEN_DIVERGED"),
        ({"position": 99}, OutOfRange, "RESUME_TOKEN_DIVERGED"),
        ({"epoch": 0}, OutOfRange, "RESUME_TOKEN_DIVERGED"),
        ({"watched": watched("org_a", "m", HOT)}, InvalidArgument, "RESUME_TOKEN_INVALID"),
        ({"watched": watched("org_a", "other", ALL)}, InvalidArgument, "RESUME_TOKEN_INVALID"),
        ({"watched": watched("org_b", "m", ALL)}, InvalidArgument, "RESUME_TOKEN_INVALID"),
    ],
)
async def test_a_token_that_does_not_belong_here_is_refused(
    fleet: Fleet, changed: dict[str, object], kind: type[StatewardError], reason: str
):
    fleet.put("a")
    place = MachinePosition("store-1", watched("org_a", "m", ALL), 1, 1)
    token = ResumeTokens(b"k" * 32).encode(replace(place, **changed))  # type: ignore[arg-type]  # fields of it
    with pytest.raises(kind) as refused:
        await fleet.watching(token=token).read()
    assert refused.value.reason == reason
    assert fleet.hub.count == 0


async def test_tokens_of_one_instance_and_of_a_machine_are_not_mistaken_for_each_other(fleet: Fleet):
    fleet.put("i")
    one = ResumeTokens(b"k" * 32).encode(Position("store-1", InstanceUid(1), 1, 1, every=True))
    with pytest.raises(InvalidArgument):
        await fleet.watching(token=one).read()
    whole = fleet.watching()
    await whole.all()
    with pytest.raises(InvalidArgument):
        await fleet.stream(every=True, token=whole.token).read()
    await whole.close()


@pytest.mark.parametrize("same", [HOT, Filter(tags=frozenset(["hot"]))])
def test_a_watch_is_named_by_what_it_chooses(same: Filter):
    assert watched("o", "m", same) == watched("o", "m", HOT)
    both = Filter(states=frozenset({"a", "b"}))
    assert watched("o", "m", both) == watched("o", "m", Filter(states=frozenset({"b", "a"})))
    assert watched("o", "m", Filter(states=frozenset({"hot"}))) != watched("o", "m", HOT)
    conditions = [
        where(("=", "hot")),
        where((">=", "hot")),
        where(("=", "cold")),
        where(("=", "hot"), ("=", "cold")),
    ]
    assert len({watched("o", "m", each) for each in [ALL, HOT, *conditions]}) == 6
    assert watched("o", "m", where(("=", "a"), ("<", "b"))) == watched(
        "o", "m", where(("<", "b"), ("=", "a"))
    )


def test_tokens_from_before_there_were_indexes_stay_good():
    """As the version before named the watch of these."""
    assert watched("org", "m", HOT) == "cddc84c0ad287f6124402f027794bd5d"


# ------------------------------------------------------------------ slowness, quiet, the end


async def test_a_watch_that_falls_behind_in_live_is_told_so_and_resumes_without_gap():
    fleet = Fleet(buffer_bytes=5_000)
    reader = fleet.watching()
    await reader.all()
    for _ in range(30):
        fleet.put("a", size=1_000)
    with pytest.raises(ResourceExhausted) as refused:
        await reader.read()
    assert refused.value.reason == "SUBSCRIBER_TOO_SLOW"
    assert fleet.hub.count == 0
    again = fleet.watching(token=reader.token)
    assert told(await again.all()) == ["+a1", *(f"~a{revision}" for revision in range(2, 31))]
    await again.close()


async def test_a_quiet_watch_shows_signs_of_life(fleet: Fleet):
    reader = fleet.watching()
    nudge(fleet)
    assert [type(frame) for frame in await reader.all()] == [Page]
    nudge(fleet)
    assert [type(frame) for frame in await reader.all()] == [Idle]
    fleet.put("a")
    nudge(fleet)
    assert [type(frame) for frame in await reader.all()] == [Stirred]
    await reader.close()


async def test_draining_says_so_last(fleet: Fleet):
    reader = fleet.watching()
    await reader.all()
    fleet.put("a")
    fleet.hub.drain()
    assert [type(await reader.read()), type(await reader.read())] == [Stirred, Draining]
    with pytest.raises(StopAsyncIteration):
        await reader.read()
    assert fleet.hub.count == 0


async def test_leaving_frees_everything(fleet: Fleet):
    reader = fleet.watching()
    await reader.all()
    assert fleet.hub.count == 1
    await reader.close()
    assert fleet.hub.count == 0


async def test_memory_of_members_is_bounded_and_what_is_forgotten_is_looked_up(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(members, "_REMEMBERED", 2)
    for name in "abc":
        fleet.put(name, "hot")
    reader = fleet.watching(HOT)
    await reader.all()
    fleet.put("a", "hot")
    fleet.put("b")
    fleet.remove("c")
    assert told(await reader.all()) == ["~a2", "-b2", "-c0"]
    await reader.close()


def _place(token: str) -> MachinePosition:
    return ResumeTokens(b"k" * 32).decode(token, MachinePosition)
