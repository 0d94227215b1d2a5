"""What `--node` and `--file` make of the user's files: with the real Deno, and without the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from stateward_server.cli import bundle, deno
from stateward_server.cli.failure import Failure
from stateward_server.cli.pins import pinned_xstate

QUICK_START = """\
import {createMachine, assign} from "xstate";
import type {AllowRead, AllowWrite, AnonymousAuthContext} from "@statebacked/machine";
type Context = {};
export const allowRead: AllowRead<Context, AnonymousAuthContext> = ({machineInstanceName, authContext}) =>
machineInstanceName === authContext.sid;
export const allowWrite: AllowWrite<Context, AnonymousAuthContext> = ({machineInstanceName, authContext}) =>
machineInstanceName === authContext.sid;
type Context = {
public: {
toggleCount ?: number;
}
};
export default createMachine<Context>({
predictableActionArguments: true,
initial: "on",
states: { on: {}, off: {} },
});
"""


def project(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def made(entry: Path, xstate: int | None = None) -> bundle.Module:
    return bundle.from_entry(entry, xstate=xstate, bundler=bundle.needs_bundler(entry))


def bundled(entry: Path, xstate: int | None = None) -> bundle.Module:
    """Bundle for real; a machine without network cannot fetch the bundler on first use."""
    try:
        return made(entry, xstate)
    except Failure as failure:
        if "fetched on first use" in failure.hint or "check the network" in failure.hint:
            pytest.skip(f"the bundler cannot be fetched here: {failure.message}")
        raise


def test_a_module_that_imports_only_xstate_is_sent_as_typescript(tmp_path: Path) -> None:
    entry = project(tmp_path, {"example-machine.ts": QUICK_START}) / "example-machine.ts"

    module = made(entry)

    assert module.language == "typescript"
    assert not module.bundled
    assert module.text == QUICK_START


@pytest.mark.parametrize(
    "statement",
    [
        'import {x} from "./lib";',
        'import x from "is-odd";',
        'export * from "./lib";',
        'const x = () => import("./lib");',
        'const x = require("is-odd");',
        'import x from "npm:is-odd@3";',
        'import {x} from "xstate-like";',
    ],
)
def test_anything_else_at_run_time_needs_the_bundler(tmp_path: Path, statement: str) -> None:
    assert bundle.needs_bundler(project(tmp_path, {"m.ts": f"{statement}\n{QUICK_START}"}) / "m.ts")


@pytest.mark.parametrize(
    "statement",
    [
        'import type {T} from "./types";',
        'import {type T} from "xstate";',
        'export type {T} from "./types";',
        'type U = import("./types").T;',
        'const s = `\nimport x from "is-odd";\n`;',
        '// import x from "is-odd";',
        'import {raise} from "xstate/lib/actions";',
        'import {interpret} from "npm:xstate@4";',
        'import {persistent} from "@stateward/machine";',
        'import {persistent} from "npm:@stateward/machine@0.1";',
    ],
)
def test_types_texts_comments_and_xstate_itself_do_not(tmp_path: Path, statement: str) -> None:
    assert not bundle.needs_bundler(project(tmp_path, {"m.ts": f"{statement}\n{QUICK_START}"}) / "m.ts")


def test_local_files_are_joined_and_xstate_stays_an_import(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        {
            "src/machine.ts": (
                'import {createMachine} from "xstate";\nimport {Kind} from "./kinds";\n'
                'import {up} from "./deep/actions.ts";\n'
                'import {persistent} from "@stateward/machine";\n'
                "export const allowRead = () => true, allowWrite = () => true;\n"
                "export default createMachine({entry: up, context: {kind: Kind.B},"
                ' invoke: {src: persistent({machine: "m"})}});\n'
            ),
            "src/kinds.ts": "export enum Kind { A, B }\n",
            "src/deep/actions.ts": 'import {assign} from "xstate";\nexport const up = assign({} as any);\n',
        },
    )

    module = bundled(root / "src" / "machine.ts")

    assert module.bundled
    assert module.language == "javascript"
    assert module.text.count('from "xstate"') == 2
    assert 'from "@stateward/machine"' in module.text
    assert "./deep/actions" not in module.text
    assert "as any" not in module.text


def test_an_npm_package_is_joined_from_node_modules(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        {
            "package.json": json.dumps({"dependencies": {"xstate": "^4.38.3", "tiny": "1.0.0"}}),
            "node_modules/tiny/package.json": json.dumps(
                {"name": "tiny", "version": "1.0.0", "main": "main.js"}
            ),
            "node_modules/tiny/main.js": 'module.exports = () => "from the tiny package";',
            "node_modules/xstate/package.json": json.dumps({"name": "xstate", "version": "4.38.3"}),
            "m.ts": 'import {createMachine} from "xstate";\nimport tiny from "tiny";\n'
            "export default createMachine({id: tiny()});\n",
        },
    )

    module = bundled(root / "m.ts")

    assert "from the tiny package" in module.text
    assert 'from "npm:xstate@4"' in module.text
    assert module.project_xstate == 4


@pytest.mark.parametrize(
    ("specifier", "xstate", "expected"),
    [
        ("xstate", None, "xstate"),
        ("xstate", 4, "npm:xstate@4"),
        ("xstate", 5, "npm:xstate@5"),
        ("xstate/lib/actions", None, "xstate/lib/actions"),
        ("xstate/lib/actions", 4, "npm:xstate@4/lib/actions"),
        ("npm:xstate", None, "npm:xstate"),
        ("npm:xstate/lib/actions", 4, "npm:xstate@4/lib/actions"),
        ("npm:xstate@4.38.3", None, "npm:xstate@4"),
        ("npm:xstate@^5.0.0/guards", None, "npm:xstate@5/guards"),
        ("xstate@5", None, "npm:xstate@5"),
        ("npm:xstate@4", 5, "npm:xstate@4"),
    ],
)
def test_xstate_is_named_as_the_server_knows_it(
    tmp_path: Path, specifier: str, xstate: int | None, expected: str
) -> None:
    entry = project(tmp_path, {"m.mjs": f'import {{x}} from "{specifier}";\n'}) / "m.mjs"

    assert made(entry, xstate).text == f'import {{x}} from "{expected}";\n'


def test_every_import_of_xstate_is_renamed_and_nothing_that_only_looks_like_one(tmp_path: Path) -> None:
    text = (
        "import {a} from \"xstate\"; /* 😀é */ import {b} from 'xstate';\n"
        'const s = `\nimport {c} from "xstate";`, d = () => import("xstate");\n'
    )
    entry = project(tmp_path, {"m.js": text}) / "m.js"

    assert made(entry, 4).text == (
        'import {a} from "npm:xstate@4"; /* 😀é */ import {b} from "npm:xstate@4";\n'
        'const s = `\nimport {c} from "xstate";`, d = () => import("npm:xstate@4");\n'
    )


def test_a_project_on_xstate_5_leaves_the_choice_to_the_server(tmp_path: Path) -> None:
    """`npm install xstate` brings 5 to the quick start, whose machine is for 4."""
    entry = project(
        tmp_path,
        {"package.json": '{"dependencies": {"xstate": "^5.33.3"}}', "example-machine.ts": QUICK_START},
    )

    module = made(entry / "example-machine.ts")

    assert module.text == QUICK_START
    assert module.project_xstate == 5


def test_a_path_may_be_relative_and_lead_through_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(
        tmp_path,
        {"real/m.ts": 'import {a} from "./a.ts";\nexport default a;\n', "real/a.ts": "export const a = 1;"},
    )
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)

    assert "var a = 1" in bundled(Path("link/m.ts")).text


def test_a_syntax_error_names_file_line_and_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(
        tmp_path,
        {"m.ts": 'import {createMachine} from "xstate";\nexport default createMachine({\n  a: 1,,\n});\n'},
    )
    monkeypatch.chdir(tmp_path)

    with pytest.raises(Failure) as refused:
        made(Path("m.ts").absolute())

    assert refused.value.reason == "MODULE_SYNTAX_ERROR"
    assert refused.value.message.startswith("m.ts:3:8: ")
    assert refused.value.details == {"file": "m.ts", "line": "3", "column": "8"}


def test_an_import_that_is_not_there_names_the_place_and_the_next_step(tmp_path: Path) -> None:
    entry = project(tmp_path, {"m.ts": 'import x from "is-odd";\nexport default x;\n'}) / "m.ts"

    with pytest.raises(Failure) as refused:
        bundled(entry)

    assert refused.value.reason == "MODULE_BUNDLE_FAILED"
    assert refused.value.message.startswith(f"{entry}:1:")
    assert "npm install" in refused.value.hint


def test_a_file_that_is_not_there_is_no_error_of_syntax(tmp_path: Path) -> None:
    entry = project(tmp_path, {"m.ts": 'import { x } from "./gone";\nexport default x;\n'}) / "m.ts"

    with pytest.raises(Failure) as refused:
        bundled(entry)

    assert refused.value.reason == "MODULE_BUNDLE_FAILED"
    assert refused.value.message.startswith(f"{entry}:1:")
    assert refused.value.hint == "check the path of the import"


def test_a_file_is_sent_untouched_in_the_language_of_its_suffix(tmp_path: Path) -> None:
    root = project(tmp_path, {"m.ts": "not even code", "m.js": 'import "anything";'})

    assert bundle.as_is(root / "m.ts") == bundle.Module(root / "m.ts", "not even code", "typescript")
    assert bundle.as_is(root / "m.js") == bundle.Module(root / "m.js", 'import "anything";', "javascript")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.js").write_bytes(b"\xff\xfe")

    with pytest.raises(Failure, match="UTF-8"):
        bundle.as_is(tmp_path / "m.js")


@pytest.mark.parametrize(
    ("version", "major"),
    [
        ("^4.38.3", 4),
        ("~5", 5),
        ("4.x", 4),
        (">=4.30 <5", 4),
        ("npm:xstate@5.1.0", 5),
        ("5", 5),
        ("latest", None),
        ("*", None),
        ("workspace:*", None),
    ],
)
def test_the_project_says_which_xstate_it_has(tmp_path: Path, version: str, major: int | None) -> None:
    project(tmp_path, {"package.json": json.dumps({"devDependencies": {"xstate": version}}), "src/m.ts": ""})

    assert pinned_xstate(tmp_path / "src") == major


def test_what_is_installed_counts_more_than_what_is_asked_for(tmp_path: Path) -> None:
    project(
        tmp_path,
        {
            "package.json": '{"dependencies": {"xstate": ">=4"}}',
            "node_modules/xstate/package.json": '{"version": "5.1.0"}',
        },
    )

    assert pinned_xstate(tmp_path) == 5


def test_an_import_knows_its_place(tmp_path: Path) -> None:
    entry = project(tmp_path, {"m.ts": 'import type {T} from "a";\nimport "b";\n'}) / "m.ts"

    assert deno.imports(entry) == [
        deno.Import("a", types_only=True, line=0, start=21, end=24),
        deno.Import("b", types_only=False, line=1, start=7, end=10),
    ]
