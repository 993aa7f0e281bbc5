"""Replies that an engine sends without having been asked for them, for they were made already, or nobody else waits:
kept until their turn.

A reply says whether another of its job follows by itself; then the job's next turn only has to wait for that. Replies
of jobs that were stopped meanwhile are dropped.
"""

from __future__ import annotations

from collections import deque
from typing import Optional

from terrafine.server.process.pipe import Parcel


class EarlyReplies:
    """For one thread, but for `forget`."""

    def __init__(self) -> None:
        self._kept: dict[int, deque[Parcel]] = {}  # by job; a job is here as long as something follows by itself

    def __contains__(self, job: int) -> bool:
        """Does the job's next reply come by itself, if it is not here?"""
        return job in self._kept

    def keep(self, reply: Parcel) -> None:
        """It came while others have their turn."""
        kept = self._kept.get(reply.head["job"])
        if kept is not None:
            kept.append(reply)

    def next(self, job: int) -> Optional[Parcel]:
        kept = self._kept.get(job)
        return kept.popleft() if kept else None

    def handed_over(self, reply: Parcel) -> None:
        """Its job's turn is over."""
        if reply.head["more"]:
            self._kept.setdefault(reply.head["job"], deque())
        else:
            self.forget(reply.head["job"])

    def forget(self, job: int) -> None:
        """Nobody waits for it any more. From any thread."""
        self._kept.pop(job, None)

    def clear(self) -> None:
        self._kept.clear()
