"""DeadLetterService: what could not be delivered."""

from __future__ import annotations

from functools import partial

from stateward.v1 import dead_letter_service_pb2 as pb
from stateward.v1 import dead_letter_service_pb2_grpc as rpc
from stateward_server.api import convert_mail
from stateward_server.api.caller import Context, caller
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens
from stateward_server.api.paths import parse_instance, parse_letter, parse_machine
from stateward_server.engine.doors import Letters
from stateward_server.query.query import Query


class DeadLetterServicer(rpc.DeadLetterServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, letters: Letters, query: Query, outcomes: Outcomes, pages: PageTokens) -> None:
        self._letters = letters
        self._query = query
        self._outcomes = outcomes
        self._pages = pages

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, _context: Context
    ) -> pb.ListDeadLettersResponse:
        org = caller.get().org
        if request.parent.count("/") == 1:
            machine, name = parse_machine(request.parent, "parent"), None
        else:
            key = parse_instance(request.parent, "parent", org)
            machine, name = key.machine, key.name
        page, token = await self._pages.page(
            request,
            (org, "dead-letters", machine, name or ""),
            partial(self._query.letters, org, machine, name),
            start=0,
            place=lambda each: each.id,
            show=convert_mail.letter,
        )
        return pb.ListDeadLettersResponse(dead_letters=page, next_page_token=token)

    async def RetryDeadLetter(
        self, request: pb.RetryDeadLetterRequest, _context: Context
    ) -> pb.RetryDeadLetterResponse:
        who = caller.get()
        key, letter = parse_letter(request.name, "name", who.org)
        await self._outcomes.once(
            who.org,
            "RetryDeadLetter",
            request.request_id,
            (request.name,),
            do=lambda record: self._letters.retry(key, letter, record, by=who.subject),
            again=nothing,
        )
        return pb.RetryDeadLetterResponse()

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, _context: Context
    ) -> pb.DiscardDeadLetterResponse:
        who = caller.get()
        key, letter = parse_letter(request.name, "name", who.org)
        await self._outcomes.once(
            who.org,
            "DiscardDeadLetter",
            request.request_id,
            (request.name,),
            do=lambda record: self._letters.discard(key, letter, record, by=who.subject),
            again=nothing,
        )
        return pb.DiscardDeadLetterResponse()
