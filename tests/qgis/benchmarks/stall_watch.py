"""When Qt's event loop is held up, for how long, and by what."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field

from qgis.PyQt.QtCore import QObject, Qt, QTimer

TICK_MS = 5
SAMPLE_S = 0.01
OURS = "terrafine/"  # in a file's name


@dataclass
class Stall:
    """A time in which the timer could not fire, and how much of it the main thread was computing: it may have waited
    for a disk, or for other programs to leave it a core. `seen` counts what it was found at, sampled meanwhile.
    """

    seconds: float
    busy_s: float
    doing: str
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def place(self) -> str:
        """Where it was found most often."""
        return self.seen.most_common(1)[0][0] if self.seen else "nothing of ours"


class StallWatch(QObject):
    """Measures from `start` to `stop`. What the user is said to be `doing` is noted with each stall."""

    def __init__(self, least_s: float = 0.02) -> None:
        super().__init__()
        self.doing = ""
        self.stalls: list[Stall] = []
        self._least_s = least_s
        self._last = self._busy = 0.0
        self._samples: Counter[str] = Counter()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._running = threading.Event()
        self._main = threading.get_ident()

    def start(self) -> None:
        self._last, self._busy = time.perf_counter(), time.thread_time()
        self._running.set()
        threading.Thread(target=self._sample, daemon=True).start()
        self._timer.start(TICK_MS)

    def stop(self) -> None:
        self._timer.stop()
        self._running.clear()

    def _tick(self) -> None:
        now, busy = time.perf_counter(), time.thread_time()
        gap, work, self._last, self._busy = now - self._last, busy - self._busy, now, busy
        samples, self._samples = self._samples, Counter()
        if gap - TICK_MS / 1000 >= self._least_s:
            self.stalls.append(Stall(gap, work, self.doing, samples))

    def _sample(self) -> None:
        while self._running.is_set():
            time.sleep(SAMPLE_S)
            if time.perf_counter() - self._last > self._least_s:
                self._samples[_place(sys._current_frames()[self._main])] += 1


def _place(frame: object) -> str:
    """The innermost lines of Terrafine's own code, in short."""
    calls = [call for call in traceback.extract_stack(frame) if OURS in call.filename or "qgis_plugin" in call.filename]
    return " > ".join(f"{call.filename.rsplit('/', 1)[-1]}:{call.lineno} {call.name}" for call in calls[-3:]) or "QGIS"
