"""The testing kit itself: its page, its spans of time, and that it waits for all it should wait for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.machines.features import source
from tests.machines.kit import ROOT

from stateward_server.model.errors import AlreadyExists, NotFound
from stateward_server.testing.durations import milliseconds
from stateward_server.testing.lab import Lab


@pytest.mark.parametrize(
    ("span", "ms"), [(7, 7), ("500ms", 500), ("90s", 90_000), ("1d 12h", 129_600_000), ("2w", 1_209_600_000)]
)
def test_spans(span: int | str, ms: int) -> None:
    assert milliseconds(span) == ms


@pytest.mark.parametrize("span", ["", "5", "h", "1h x", "x 1h", "1.5h"])
def test_what_is_no_span(span: str) -> None:
    with pytest.raises(ValueError, match="no span of time"):
        milliseconds(span)


async def test_the_example_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "testing.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "docs/testing.md", "exec"), names)
    monkeypatch.chdir(ROOT)
    test = names["test_a_late_bid_moves_the_deadline"]
    await test()  # type: ignore[operator]  # a coroutine function


async def test_services_that_take_real_time() -> None:
    slow = (
        'initial: "a", states: { a: { invoke: {'
        ' src: x.fromPromise(() => new Promise((done) => setTimeout(done, 30))), onDone: "b" } }, b: {} }'
    )
    async with Lab.open() as lab:
        machine = await lab.machine(source("v5", slow))
        one, two = await machine.create("one"), await machine.create("two")
        assert (await one.until("b")).value == "b"
        assert (await two.settled()).value == "b"


async def test_messages_have_arrived_when_a_call_returns() -> None:
    chain = (
        'context: { public: { n: 0 } }, initial: "a", states: { a: { on: { GO: "b" } },'
        " b: { invoke: { src: x.fromPromise(async () => { for (let i = 0; i < 1000; i++) await 0; }),"
        ' onDone: "c" } },'
        ' c: { after: { 10: "a" } } }'
    )
    async with Lab.open() as lab:
        one = await (await lab.machine(source("v5", chain))).create("one")
        for _ in range(5):
            await one.send("GO")
            assert one.value == "c"
            await lab.advance(10)
            assert one.value == "a"


async def test_refusals_are_raised() -> None:
    async with Lab.open() as lab:
        machine = await lab.machine(source("v5", 'initial: "a", states: { a: {} }'))
        await machine.create("one")
        with pytest.raises(AlreadyExists):
            await machine.create("one")
        with pytest.raises(NotFound):
            await machine.instance("two").send("GO")


async def test_a_new_version_serves_new_instances(tmp_path: Path) -> None:
    async with Lab.open() as lab:
        file = tmp_path / "machine.js"
        made = []
        for name in ("old", "new"):
            file.write_text(source("v5", f'initial: "{name}", states: {{ {name}: {{}} }}'))
            machine = await lab.machine(file, name="thing")
            made.append(await machine.create(name))
        assert [one.value for one in made] == ["old", "new"]


def test_nothing_here_sleeps() -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("*.py")]
    assert not [text for text in texts if "asyncio." + "sleep" in text or "time." + "sleep" in text]
