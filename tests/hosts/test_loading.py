"""What is told about a module: its dialect, or what is wrong with it, in words for its author."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.hosts.kit import ALLOW, Rig

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import HostLimits
from stateward_server.model.machine import Language, Module
from stateward_server.runtime.pool import HostPool

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
V5 = ALLOW + 'import { createMachine } from "xstate"; export default createMachine({ id: "m" });'


async def inspected(rig: Rig, source: str, language: Language = Language.TYPESCRIPT) -> tuple[str, str]:
    inspection = await rig.pool.inspect(Module(source, language))
    return inspection.dialect, inspection.machine_id


async def refused(rig: Rig, source: str, language: Language = Language.TYPESCRIPT) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        await rig.pool.inspect(Module(source, language))
    for leak in ("file:", "data:", "blob:", "stateward:", "/tmp", "\x1b"):
        assert leak not in caught.value.message
    return caught.value


async def test_the_quick_start_of_state_backed_runs_as_it_is(rig: Rig) -> None:
    assert await inspected(rig, (EXAMPLES / "toggle.v4.ts").read_text()) == ("v4", "(machine)")


async def test_the_quick_start_in_xstate_5(rig: Rig) -> None:
    assert await inspected(rig, (EXAMPLES / "toggle.v5.ts").read_text()) == ("v5", "toggle")


@pytest.mark.parametrize(
    ("specifier", "dialect"),
    [
        ("xstate", "v5"),
        ("npm:xstate", "v4"),
        ("xstate@4", "v4"),
        ("xstate@^4.30.0", "v4"),
        ("xstate@5", "v5"),
        ("npm:xstate@4", "v4"),
        ("npm:xstate@4.38.3", "v4"),
        ("npm:xstate@5", "v5"),
        ("npm:xstate@^5.18.0", "v5"),
        ("npm:xstate@latest", "v5"),
        ("xstate/lib/Machine", "v4"),
        ("npm:xstate/es/index.js", "v4"),
    ],
)
async def test_a_version_in_the_specifier_wins(rig: Rig, specifier: str, dialect: str) -> None:
    source = (
        ALLOW + f'import {{ createMachine }} from "{specifier}"; export default createMachine({{ id: "m" }});'
    )
    assert await inspected(rig, source) == (dialect, "m")


@pytest.mark.parametrize(
    "config",
    [
        "predictableActionArguments: true",
        'schema: {}, initial: "a", states: { a: {} }',
        'initial: "a", states: { a: { on: { GO: { target: "b", cond: () => true } } }, b: {} }',
        'initial: "a", states: { a: { on: { GO: [{ target: "b", internal: false }] } }, b: {} }',
        'initial: "a", states: { a: { invoke: { src: "x", data: {} } } }',
        'initial: "a", states: { a: { invoke: [{ src: "x", autoForward: true }] } }',
        'initial: "a", states: { a: { type: "final", data: { x: 1 } } }',
        'initial: "a", states: { a: { activities: ["beep"] } }',
        'initial: "a", states: { a: { initial: "b", states: { b: { always: { in: "#x" } }, c: {} } } }',
    ],
)
async def test_words_of_version_4_make_a_bare_import_mean_it(rig: Rig, config: str) -> None:
    source = (
        ALLOW + f'import {{ createMachine }} from "xstate"; export default createMachine({{ {config} }});'
    )
    assert (await inspected(rig, source))[0] == "v4"


async def test_names_only_version_4_exports_make_a_bare_import_mean_it(rig: Rig) -> None:
    source = ALLOW + 'import { Machine, spawn, actions } from "xstate"; export default Machine({ id: "m" });'
    assert await inspected(rig, source) == ("v4", "m")


async def test_sub_paths_are_the_same_build(rig: Rig) -> None:
    source = (
        ALLOW
        + """
        import { createMachine, fromPromise, assign } from "xstate";
        import { fromPromise as again } from "xstate/actors";
        import { assign as once } from "npm:xstate@5/actions";
        import { and } from "xstate/guards";
        import * as dev from "xstate/dev";
        import * as graph from "xstate/graph";
        if (again !== fromPromise || once !== assign || !and || !graph) throw new Error("two builds");
        export default createMachine({ id: "m" });
        """
    )
    assert await inspected(rig, source) == ("v5", "m")
    source = (
        ALLOW
        + """
        import { createMachine, StateNode } from "npm:xstate";
        import { StateNode as again } from "npm:xstate/lib/StateNode";
        import { toStatePath } from "npm:xstate/lib/utils";
        import * as actions from "xstate/es/actions.js";
        if (again !== StateNode || !toStatePath || !actions.send) throw new Error("two builds");
        export default createMachine({ id: "m" });
        """
    )
    assert await inspected(rig, source) == ("v4", "m")


async def test_typescript_may_declare_enums_and_parameter_properties(rig: Rig) -> None:
    source = (
        "enum Light { Red = 'red' }\nnamespace N { export const id = 'm'; }\n"
        "class Box { constructor(readonly light: Light) {} }\n"
        + ALLOW
        + "import { createMachine, type AnyStateMachine } from 'xstate';\n"
        "export default createMachine({ id: new Box(Light.Red).light + N.id }) satisfies AnyStateMachine;"
    )
    assert await inspected(rig, source) == ("v5", "redm")


@pytest.mark.parametrize("language", list(Language))
async def test_a_syntax_error_has_its_place(rig: Rig, language: Language) -> None:
    error = await refused(rig, "const fine = 1;\nconst x = ;\n", language)
    assert error.reason == "MODULE_SYNTAX_ERROR"
    assert error.metadata["line"] == "2"
    assert int(error.metadata["column"]) > 8
    assert "line 2" in error.message


async def test_types_in_a_javascript_module_are_a_syntax_error(rig: Rig) -> None:
    assert (await refused(rig, "const x: number = 1;", Language.JAVASCRIPT)).reason == "MODULE_SYNTAX_ERROR"


@pytest.mark.parametrize(
    "specifier",
    ["lodash", "npm:lodash", "node:fs", "fs", "https://example.com/x.js", "./x.ts", "/etc/passwd"],
)
async def test_an_import_that_is_not_there_is_named(rig: Rig, specifier: str) -> None:
    error = await refused(rig, f'import x from "{specifier}"; export default x;')
    assert (error.reason, error.metadata["import"]) == ("MODULE_LOAD_FAILED", specifier)
    assert specifier in error.message
    error = await refused(rig, f'await import("{specifier}");' + V5)
    assert error.reason == "MODULE_LOAD_FAILED"


async def test_an_export_that_xstate_does_not_have_is_named(rig: Rig) -> None:
    error = await refused(rig, 'import { createMashine } from "xstate@5"; export default createMashine({});')
    assert error.reason == "MODULE_LOAD_FAILED"
    assert "createMashine" in error.message


async def test_what_is_thrown_at_the_top_is_told(rig: Rig) -> None:
    error = await refused(rig, V5 + 'throw new RangeError("out of luck");')
    assert error.reason == "MODULE_LOAD_FAILED"
    assert error.message == "RangeError: out of luck"
    error = await refused(rig, V5 + 'throw "just so";')
    assert error.message == "just so"
    error = await refused(rig, V5 + 'JSON.parse("{");')
    assert error.reason == "MODULE_LOAD_FAILED"


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        (ALLOW, "default"),
        (ALLOW + "export default {};", "default"),
        (ALLOW + "export default () => 1;", "default"),
        (V5.replace("export const allowRead", "const allowRead"), "allowRead"),
        (V5.replace("export const allowWrite = () => true", "export const allowWrite = true"), "allowWrite"),
    ],
)
async def test_a_missing_export_is_named(rig: Rig, source: str, missing: str) -> None:
    error = await refused(rig, source)
    assert (error.reason, error.metadata["export"]) == ("MODULE_EXPORT_MISSING", missing)


@pytest.mark.parametrize(
    ("specifier", "config", "named"),
    [
        ("xstate", 'initial: "a", states: { a: { on: { GO: "nowhere" } } }', "nowhere"),
        ("xstate@5", 'initial: "a", states: { a: { on: { GO: "nowhere" } } }', "nowhere"),
        ("xstate@4", 'initial: "a", states: { a: { on: { GO: "nowhere" } } }', "nowhere"),
        ("xstate@5", 'initial: "lost", states: { a: {} }', "lost"),
        ("xstate@4", 'initial: "lost", states: { a: {} }', "lost"),
        ("xstate@5", 'initial: "a", states: { a: { initial: "lost", states: { b: {} } } }', "lost"),
        ("xstate@4", 'initial: "a", states: { a: { initial: "lost", states: { b: {} } } }', "lost"),
        ("xstate@5", 'type: "parallel", states: { a: { initial: "lost", states: { b: {} } } }', "lost"),
    ],
)
async def test_a_machine_that_no_instance_could_start_is_refused(
    rig: Rig, specifier: str, config: str, named: str
) -> None:
    source = f'import {{ createMachine }} from "{specifier}"; export default createMachine({{ {config} }});'

    error = await refused(rig, ALLOW + source)

    assert error.reason == "MODULE_LOAD_FAILED"
    assert named in error.message


@pytest.mark.parametrize("specifier", ["xstate@4", "xstate@5"])
async def test_what_is_wrong_with_a_state_that_need_not_be_entered_is_left_to_xstate(
    rig: Rig, specifier: str
) -> None:
    config = (
        'id: "m", initial: "a", states: { a: { on: { GO: "b" } }, b: { initial: "lost", states: { c: {} } } }'
    )
    source = f'import {{ createMachine }} from "{specifier}"; export default createMachine({{ {config} }});'

    assert (await inspected(rig, ALLOW + source))[1] == "m"


async def test_a_module_that_keeps_the_processor_is_told_how_long_it_may() -> None:
    rig = Rig(HostLimits(deadline_ms=300))
    try:
        error = await refused(rig, V5 + "for (;;);")
    finally:
        await rig.pool.close()

    assert error.reason == "MODULE_TIMED_OUT"
    assert "300 ms" in error.message


async def test_a_module_that_does_not_finish_is_given_up() -> None:
    rig = Rig(HostLimits(load_ms=300))
    try:
        assert (await refused(rig, V5 + "for (;;);")).reason == "MODULE_TIMED_OUT"
        assert (await refused(rig, V5 + "await new Promise(() => {});")).reason == "MODULE_TIMED_OUT"
    finally:
        await rig.pool.close()


async def test_a_module_that_takes_all_memory_is_given_up(rig: Rig) -> None:
    hog = "const a = []; for (;;) a.push(new Array(1000).fill(Math.random()));"
    assert (await refused(rig, V5 + hog)).reason == "MODULE_OUT_OF_MEMORY"


async def test_a_broken_module_fails_its_instances(rig: Rig) -> None:
    outcome = await rig.failing_start(V5 + "throw new Error('no');")
    assert outcome.reason == "MODULE_LOAD_FAILED"  # type: ignore[union-attr]  # the assertion is the check


async def test_inspecting_needs_no_listener() -> None:
    async def none(_: object) -> Module:
        raise LookupError

    pool = HostPool(none)
    try:
        assert (await pool.inspect(Module(V5, Language.JAVASCRIPT))).dialect == "v5"
    finally:
        await pool.close()


@pytest.mark.parametrize(
    "forged",
    [
        "1, 'v6'",
        "1, ['v6', 'id']",
        "1, ['v5', 7]",
        "1, ['v5']",
        "0, { reason: 'TOKEN_EXPIRED', message: 'log in anew' }",
        "0, { reason: 'MODULE_LOAD_FAILED', message: '', metadata: { reason: 'x' }, more: 1 }",
    ],
)
async def test_a_module_cannot_make_up_what_becomes_of_it(rig: Rig, forged: str) -> None:
    source = f"""
        Array.prototype.toJSON = function () {{
          if (this[1] !== 1 && this[1] !== 0 || this.length !== 3) return this;
          delete Array.prototype.toJSON;
          return [this[0], {forged}];
        }};
    """
    with pytest.raises(InvalidArgument) as caught:
        await rig.pool.inspect(Module(V5 + source, Language.JAVASCRIPT))
    assert caught.value.reason == "MODULE_LOAD_FAILED"
    assert caught.value.metadata == {}
