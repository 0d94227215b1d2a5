"""The errors that are drawn, defined, raised, declared in the contract and mapped to gRPC are the same."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from google.rpc import code_pb2

import stateward_server
from stateward.v1 import error_reason_pb2
from stateward_server.model import errors
from stateward_server.model.errors import Code, StatewardError, no_instance, no_machine, no_version

ROOT = Path(stateward_server.__file__).parent
PREFIX = "ERROR_REASON_"
DECLARED = {name.removeprefix(PREFIX) for name, _ in error_reason_pb2.ErrorReason.items()} - {"UNSPECIFIED"}

# Rooms whose errors never reach a caller of the API: the command's own refusals, and the test kit.
APART = {"cli", "testing"}
# Put together in `runtime/pool.py` from what ended a process.
COMPOSED = {"MACHINE_TIMED_OUT", "MACHINE_OUT_OF_MEMORY"}


def classes() -> dict[str, type[StatewardError]]:
    found = vars(errors).values()
    return {
        each.__name__: each for each in found if inspect.isclass(each) and issubclass(each, StatewardError)
    }


def sources() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        # A limit names the reason of a refusal that is made elsewhere.
        if path.relative_to(ROOT).parts[0] not in APART and path.name != "published.py":
            yield path


def raised() -> dict[str, set[str]]:
    """Reasons given to an error's constructor as text, by the file that does it."""
    found: dict[str, set[str]] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in classes():
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.setdefault(first.value, set()).add(str(path.relative_to(ROOT)))
    return found


def test_the_tree_that_is_drawn_is_the_tree_that_is_defined():
    drawn = dict(re.findall(r"[├└]── (\w+) +([A-Z_]+) ", errors.__doc__ or ""))
    defined = {name: each.code.value for name, each in classes().items() if each is not StatewardError}
    assert drawn == defined
    assert all(each.__bases__ == (StatewardError,) for name, each in classes().items() if name in drawn)


def test_each_class_has_a_code_of_its_own_and_no_code_is_without_a_class():
    codes = [each.code for each in classes().values() if each is not StatewardError]
    assert sorted(code.name for code in codes) == sorted(code.name for code in Code)


def test_every_code_is_one_of_google_rpc():
    assert {code.value for code in Code} <= set(code_pb2.Code.keys())
    assert all(code.name == code.value for code in Code)


def test_every_reason_that_is_raised_is_declared_in_the_contract():
    assert {reason: where for reason, where in raised().items() if reason not in DECLARED} == {}


def test_every_declared_reason_is_used():
    text = "\n".join(path.read_text() for path in sources())
    # Reasons of machines are made in the host process and pass through `Failed.reason` and `Broken.reason`.
    host = "\n".join(path.read_text() for path in (ROOT.parent / "hosts").rglob("*.ts"))
    unused = {reason for reason in DECLARED if f'"{reason}"' not in text and f'"{reason}"' not in host}
    assert unused == COMPOSED
    assert 'f"MACHINE_{' in text


def test_metadata_is_text():
    error = StatewardError("INTERNAL", "words", limit=3, name="x")
    assert (error.reason, error.message, str(error)) == ("INTERNAL", "words", "words")
    assert error.metadata == {"limit": "3", "name": "x"}
    assert error.retry_after is None


def test_what_is_not_found_is_named_in_message_and_metadata():
    for error in (no_machine("m"), no_instance("m", "i"), no_version("m", "ver_x")):
        assert all(repr(value) in error.message for value in error.metadata.values())
