"""Conditions on indexes and entries of them, between our words and the generated ones."""

from __future__ import annotations

from stateward.v1 import instance_pb2, instance_service_pb2
from stateward_server.api import convert
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.index import Comparison, IndexCondition, IndexQuery
from stateward_server.model.limits import HostLimits
from stateward_server.ports.store import Found

_VALUE_BYTES = HostLimits().index_value_bytes
_COMPARISON: dict[int, Comparison] = {
    instance_pb2.COMPARISON_EQUAL: Comparison.EQUAL,
    instance_pb2.COMPARISON_NOT_EQUAL: Comparison.NOT_EQUAL,
    instance_pb2.COMPARISON_LESS: Comparison.LESS,
    instance_pb2.COMPARISON_LESS_OR_EQUAL: Comparison.LESS_OR_EQUAL,
    instance_pb2.COMPARISON_GREATER: Comparison.GREATER,
    instance_pb2.COMPARISON_GREATER_OR_EQUAL: Comparison.GREATER_OR_EQUAL,
}


def entry(found: Found) -> instance_pb2.IndexEntry:
    return instance_pb2.IndexEntry(instance=convert.listed_instance(found.loaded), value=found.value)


def condition(message: instance_pb2.IndexCondition) -> IndexCondition:
    """Raises InvalidArgument (INVALID_FIELD)."""
    return IndexCondition(
        message.index,
        _comparison(message.comparison, "filter.indexes") or Comparison.EQUAL,
        _value(message.value, "filter.indexes"),
    )


def query(message: instance_service_pb2.QueryIndexRequest) -> IndexQuery:
    """Raises InvalidArgument (INVALID_FIELD)."""
    comparison = _comparison(message.comparison, "comparison")
    if comparison is None and message.value:
        raise InvalidArgument("INVALID_FIELD", "a value needs a comparison", field="comparison")
    return IndexQuery(message.index, comparison, _value(message.value, "value"), message.descending)


def _comparison(number: int, field: str) -> Comparison | None:
    if number == instance_pb2.COMPARISON_UNSPECIFIED:
        return None
    if number not in _COMPARISON:
        raise InvalidArgument("INVALID_FIELD", f"comparison {number} is not known", field=field)
    return _COMPARISON[number]


def _value(text: str, field: str) -> str:
    if len(text.encode()) > _VALUE_BYTES:
        raise InvalidArgument(
            "INVALID_FIELD", f"a value in an index has at most {_VALUE_BYTES} bytes", field=field
        )
    return text
