"""The network of two builds: the first one's is recorded, the second has the recording; or both have one that was given."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from teekit_verify.core import url
from teekit_verify.core.download.reach import PUBLIC, Reach
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import read_bounded
from teekit_verify.documents import codec
from teekit_verify.rebuild.network.recording import Answers, Recording
from teekit_verify.rebuild.network.room import Room
from teekit_verify.rebuild.network.sources import Player, Recorder, file_of
from teekit_verify.rebuild.network.used import NetworkUsed, used

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.core.progress import Progress

RECORDING = "recording.json"
BLOBS = "blobs/sha256"


@dataclass(frozen=True, slots=True)
class Fetching:
    """That scripts may fetch. `recording` is of an earlier rebuild, None to make one; its files are in the store."""

    store: DownloadStore
    recording: Recording | None = None
    reach: Reach = field(default_factory=lambda: PUBLIC)

    def begin(self) -> Rooms:
        return Rooms(self, None if self.recording is not None else Recorder(self.store, self.reach))


@dataclass(slots=True)
class Rooms:
    """Those of one rebuild, made in the order of its builds. `frozen` is what build B was given: an answer that comes later is no part of it."""

    fetching: Fetching
    recorder: Recorder | None
    made: dict[Literal["A", "B"], Room] = field(default_factory=dict)
    players: dict[Literal["A", "B"], Player] = field(default_factory=dict)
    frozen: Recording | None = None

    @property
    def recording(self) -> Recording:
        """What a build that asks nobody is given; the same whenever it is asked for."""
        if self.frozen is None:
            self.frozen = self.fetching.recording if self.recorder is None else self.recorder.recording()
        return self.frozen or Recording()

    def room(self, build: Literal["A", "B"], folder: Path) -> Room:
        """Build A asks servers where there is no recording yet; whoever comes after it asks nobody."""
        if self.recorder is not None and not self.made:
            made = Room.make(folder, self.recorder, self.fetching.reach)
        else:
            self.players[build] = Player(self.fetching.store, Answers.of(self.recording))
            made = Room.make(folder, self.players[build], self.fetching.reach)
        self.made[build] = made
        return made

    def fetched(self) -> Fetched:
        rooms = self.made["A"], self.made["B"]
        recording = self.recording
        found = used(recording, rooms, self.players, is_replayed=self.recorder is None)
        return Fetched(recording, self.fetching.store, found)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What two builds fetched. The bytes are in the store."""

    recording: Recording
    store: DownloadStore
    used: NetworkUsed


def load(folder: Path, store: DownloadStore, progress: Progress) -> Recording:
    """The recording that a report's folder `fetched` has, with its files in the store. Raises TeekitError for what is not whole."""
    path = folder / RECORDING
    data = read_bounded(path, codec.MAX_DOCUMENT_BYTES, "a recording of what scripts fetched")
    recording = Recording.parse(data, str(path))
    bodies = recording.bodies
    with progress.step(f"check the {len(bodies)} files that scripts fetched"):
        store.fetch(
            [
                file_of(digest, size, url.of_file(str((folder / BLOBS / digest.hex).resolve())))
                for digest, size in bodies.items()
            ],
            progress=progress.count,
        )
    return recording


def save(fetched: Fetched, folder: Path) -> None:
    """The folder that `load` takes: the recording, and each file under its digest, hashed again. Raises TeekitError."""
    blobs = folder / BLOBS
    blobs.mkdir(parents=True)
    for digest, size in fetched.recording.bodies.items():
        path = fetched.store.verified(file_of(digest, size))
        if path is None:
            raise TeekitError(
                f"a file that scripts fetched (sha256 {digest.hex}) is no longer in the download cache",
                hint="Run it again, and let nothing clear the cache meanwhile.",
            )
        with path.open("rb") as source, (blobs / digest.hex).open("wb") as copy:
            shutil.copyfileobj(source, copy)
    (folder / RECORDING).write_bytes(fetched.recording.dump())
