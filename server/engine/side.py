"""A change of the map that is none of marks: other side information."""

from __future__ import annotations

from terrafine.server.engine.session import Session
from terrafine.shared.errors import BadRequest, TooLarge
from terrafine.shared.geo import Window
from terrafine.shared.side import MOST_POINTS, SideInformation


def set_side(session: Session, base: int, revision: int, side: SideInformation) -> Window:
    """Be told this and nothing else beside marks; returns the raster window that may differ.

    Raises BadRequest where the model is told nothing, or other numbers; TooLarge; RevisionMismatch.
    """
    fields = session.spec.side.names
    if len(side) > MOST_POINTS:
        raise TooLarge(f"There are {len(side)} points; {MOST_POINTS} are allowed.")
    if len(side) and not fields:
        raise BadRequest(f"'{session.spec.name}' takes no side information.", "Choose a model that does.")
    if len(side) and side.values.shape[1] != len(fields):
        raise BadRequest(f"There are {side.values.shape[1]} numbers a point; the model takes {', '.join(fields)}.")
    changed = session.move_on(base, revision, everywhere=side.digest != session.side.digest)
    session.side = side
    return changed
