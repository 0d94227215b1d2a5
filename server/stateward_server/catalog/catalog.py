"""Publishing machines and versions. A module is loaded and checked before its version exists."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stateward_server.catalog.checks import Checks
from stateward_server.model.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    no_machine,
    no_version,
)
from stateward_server.model.index import index_names, selectors
from stateward_server.model.limits import ModuleLimits
from stateward_server.model.machine import Language, Machine, Module, RequestRecord, Version
from stateward_server.model.names import MachineName, OrgId, VersionId, mint
from stateward_server.ports.clock import Clock, Entropy
from stateward_server.ports.host import MachineHost
from stateward_server.ports.store import Catalog


class Machines:
    """The catalog of every organisation; each call names its own."""

    def __init__(
        self,
        store: Catalog,
        host: MachineHost,
        clock: Clock,
        entropy: Entropy,
        limits: ModuleLimits | None = None,
    ) -> None:
        self._store = store
        self._host = host
        self._clock = clock
        self._entropy = entropy
        self._limits = limits or ModuleLimits()
        self._checks = Checks(self._limits)

    async def create(
        self,
        org: OrgId,
        name: MachineName,
        request: RequestRecord | None = None,
        *,
        indexes: Sequence[str] = (),
    ) -> Machine:
        """Create a machine without versions. Raises AlreadyExists, InvalidArgument."""
        machine = Machine(org, name, None, self._clock.now_ms(), index_names(indexes))
        if not await self._store.create_machine(machine, request):
            raise AlreadyExists("MACHINE_EXISTS", f"there is a machine {name!r} already", machine=name)
        return machine

    async def get(self, org: OrgId, name: MachineName) -> Machine:
        """Raises NotFound."""
        machine = await self._store.get_machine(org, name)
        if machine is None:
            raise no_machine(name)
        return machine

    async def list(self, org: OrgId, after: str, limit: int) -> Sequence[Machine]:
        """Return machines whose name is above `after`, by name."""
        return await self._store.list_machines(org, after, limit)

    async def delete(self, org: OrgId, name: MachineName, request: RequestRecord | None = None) -> None:
        """Raises NotFound, FailedPrecondition (MACHINE_HAS_INSTANCES)."""
        await self.get(org, name)
        if not await self._store.delete_machine(org, name, request):
            raise FailedPrecondition(
                "MACHINE_HAS_INSTANCES",
                f"machine {name!r} still has instances: delete them first",
                machine=name,
            )

    async def publish(
        self,
        org: OrgId,
        name: MachineName,
        module: Module,
        client_info: str,
        *,
        make_current: bool,
        index_selectors: Mapping[str, str] | None = None,
        request: RequestRecord | None = None,
    ) -> Version:
        """Check a module and make it a version.

        Raises NotFound, InvalidArgument (MODULE_*, INVALID_FIELD), ResourceExhausted (RATE_LIMITED).

        Indexes without a selector of their own take that of the current version.
        """
        machine = await self.get(org, name)
        before = machine.current_version.selectors if machine.current_version else ()
        module = replace(module, selectors=selectors(name, machine.indexes, index_selectors or {}, before))
        async with self._checks.turn(org):
            inspection = await self._host.inspect(module)
        version = Version(
            id=VersionId(mint("ver", self._entropy.token_bytes(16))),
            org=org,
            machine=name,
            dialect=inspection.dialect,
            client_info=client_info,
            source_bytes=len(module.source.encode()),
            created_at=self._clock.now_ms(),
            selectors=module.selectors,
        )
        if request is not None:
            request = replace(request, outcome=version.id)
        if not await self._store.create_version(version, module, request, make_current=make_current):
            raise no_machine(name)
        return version

    async def choose(
        self, org: OrgId, name: MachineName, version: VersionId, request: RequestRecord | None = None
    ) -> Machine:
        """Make a version the one that new instances start with. Raises NotFound."""
        await self.version(org, name, version)
        if not await self._store.set_current_version(org, name, version, request):
            raise no_machine(name)
        return await self.get(org, name)

    async def version(self, org: OrgId, name: MachineName, version: VersionId) -> Version:
        """Raises NotFound."""
        await self.get(org, name)
        found = await self._store.get_version(org, name, version)
        if found is None:
            raise no_version(name, version)
        return found

    async def versions(
        self, org: OrgId, name: MachineName, after: tuple[int, str], limit: int
    ) -> Sequence[Version]:
        """Return versions above (created_at, id), oldest first. Raises NotFound."""
        await self.get(org, name)
        return await self._store.list_versions(org, name, after, limit)

    async def to_start(self, org: OrgId, name: MachineName, wanted: VersionId | None) -> VersionId:
        """Return the version a new instance runs.

        Raises NotFound, FailedPrecondition (NO_CURRENT_VERSION).
        """
        machine = await self.get(org, name)
        if wanted is not None:
            return (await self.version(org, name, wanted)).id
        if machine.current_version is None:
            raise FailedPrecondition(
                "NO_CURRENT_VERSION", f"machine {name!r} has no current version: upload one", machine=name
            )
        return machine.current_version.id

    def unpack(self, packed: bytes, language: Language) -> Module:
        """Turn gzipped UTF-8 into a module. Raises InvalidArgument (MODULE_TOO_LARGE, MODULE_ENCODING)."""
        if len(packed) > self._limits.gzip_bytes:
            raise _too_large(self._limits.gzip_bytes, "gzipped")
        unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            text = unzip.decompress(packed, self._limits.text_bytes + 1)
        except zlib.error:
            raise InvalidArgument("MODULE_ENCODING", "the module is not valid gzip") from None
        if len(text) > self._limits.text_bytes:
            raise _too_large(self._limits.text_bytes, "unzipped")
        if not unzip.eof:
            raise InvalidArgument("MODULE_ENCODING", "the module's gzip stream is cut short")
        if unzip.unused_data:
            raise InvalidArgument("MODULE_ENCODING", "more follows the end of the module's gzip stream")
        try:
            return Module(text.decode("utf-8"), language)
        except UnicodeDecodeError:
            raise InvalidArgument("MODULE_ENCODING", "the module is not valid UTF-8") from None

    def from_text(self, text: str, language: Language) -> Module:
        """Take a module as it is. Raises InvalidArgument (MODULE_TOO_LARGE)."""
        raw = text.encode()
        if len(raw) > self._limits.text_bytes:
            raise _too_large(self._limits.text_bytes, "unzipped")
        if len(raw) > self._limits.gzip_bytes and len(gzip.compress(raw)) > self._limits.gzip_bytes:
            raise _too_large(self._limits.gzip_bytes, "gzipped")
        return Module(text, language)


def _too_large(limit: int, form: str) -> InvalidArgument:
    return InvalidArgument(
        "MODULE_TOO_LARGE", f"the module is over {limit} bytes {form}: bundle less into it", limit_bytes=limit
    )
