"""The shape every batch of commits must have, whichever store takes it.

Called by each store before it touches anything: a batch that breaks these rules is a bug of the caller, so it
raises ValueError and nothing is written. Never looks at stored data; what depends on that is a CommitResult.
"""

from __future__ import annotations

from collections.abc import Sequence

from stateward_server.model.ledger import Commit

_LARGEST = 2**63 - 1


def check_batch(commits: Sequence[Commit]) -> None:
    """Raise ValueError unless `commits` are well formed and each is about another instance."""
    uids = {commit.instance.uid for commit in commits}
    if len(uids) != len(commits):
        raise ValueError("two commits of one instance in one batch")
    for commit in commits:
        _check_commit(commit)


def _check_commit(commit: Commit) -> None:
    if not commit.transitions and commit.base_revision == 0:
        raise ValueError("a creation without a transition")
    revision = commit.base_revision
    requests: set[str] = set()
    for transition in commit.transitions:
        revision += 1
        if transition.revision != revision:
            raise ValueError(f"revision {transition.revision} where {revision} must follow")
        if transition.request is not None:
            if transition.request.id in requests:
                raise ValueError("one request id twice in a commit")
            requests.add(transition.request.id)
    # Stores keep the version with each transition only; the head's version is that of the last one.
    if commit.transitions and commit.transitions[-1].version != commit.instance.version:
        raise ValueError("the instance's version is not that of its last transition")
    for timer in commit.timers_set:
        if timer.uid != commit.instance.uid or not -_LARGEST <= timer.due_ms <= _LARGEST:
            raise ValueError(f"timer {timer.id!r} is of another instance, or due at no representable time")
