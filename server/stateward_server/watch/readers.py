"""Ask `allowRead` once per state and distinct caller claims, however many subscribers share them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from stateward_server.model.ledger import Instance, Transition

MayRead = Callable[[Instance, Transition, str], Awaitable[bool]]

_Key: TypeAlias = tuple[int, int, int, str]


class _Question:
    """One question to a machine, and who waits for the answer. As light as can be: a thousand wait."""

    __slots__ = ("answer", "fault", "task", "waiting")

    def __init__(self) -> None:
        self.answer: bool | None = None
        self.fault: Exception | None = None
        """For who asked, but waits for another verdict first."""
        self.task: asyncio.Task[None] | None = None
        self.waiting: list[asyncio.Future[bool]] = []


class Readers:
    """A small memory of verdicts about recent transitions."""

    def __init__(self, may_read: MayRead, size: int = 4096) -> None:
        self._may_read = may_read
        self._size = size
        self._questions: OrderedDict[_Key, _Question] = OrderedDict()

    async def allowed(
        self, instance: Instance, transitions: Sequence[Transition], auth_json: str
    ) -> Sequence[Transition]:
        """Return the transitions up to the first that these claims may not see; asks about all at once."""
        questions = [self._question(instance, each, auth_json) for each in transitions]
        for number, question in enumerate(questions):
            if not (await self._answer(question) if question.answer is None else question.answer):
                return transitions[:number]
        return transitions

    async def ask(self, states: Sequence[tuple[Instance, Transition]], auth_json: str) -> None:
        """Ask about many states at once, and wait for the verdicts, which `allows` knows then."""
        for question in [self._question(instance, each, auth_json) for instance, each in states]:
            if question.answer is None:
                await self._answer(question)

    async def allows(self, instance: Instance, transition: Transition, auth_json: str) -> bool:
        """Tell whether the machine lets these claims see that state."""
        question = self._question(instance, transition, auth_json)
        return await self._answer(question) if question.answer is None else question.answer

    def _question(self, instance: Instance, transition: Transition, auth_json: str) -> _Question:
        """Return the question, which is being asked, or was."""
        key = (instance.uid, transition.revision, transition.epoch, auth_json)
        question = self._questions.get(key)
        if question is None:
            question = self._questions[key] = _Question()
            # A task of its own: one subscriber's end must not end the question for the others.
            asking = self._put(key, question, instance, transition)
            question.task = asyncio.ensure_future(asking)
            if len(self._questions) > self._size:
                self._questions.popitem(last=False)
        return question

    async def _answer(self, question: _Question) -> bool:
        if question.fault is not None:
            raise question.fault
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        question.waiting.append(answered)
        return await answered

    async def _put(self, key: _Key, question: _Question, instance: Instance, transition: Transition) -> None:
        try:
            question.answer = await self._may_read(instance, transition, key[-1])
        except Exception as fault:  # noqa: BLE001 - it is for those who wait, and is not remembered
            question.fault = fault
            for each in self._let_go(key, question):
                each.set_exception(fault)
        except asyncio.CancelledError:
            for each in self._let_go(key, question):
                each.cancel()
            raise
        else:
            for each in _taken(question):
                each.set_result(question.answer)

    def _let_go(self, key: _Key, question: _Question) -> Sequence[asyncio.Future[bool]]:
        """Forget a question that has no answer; return who waits for it."""
        if self._questions.get(key) is question:
            del self._questions[key]
        return _taken(question)


def _taken(question: _Question) -> Sequence[asyncio.Future[bool]]:
    waiting, question.waiting, question.task = question.waiting, [], None
    return [each for each in waiting if not each.done()]
