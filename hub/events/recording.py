"""What becomes of a call's recording. These events are durable, too. Those about the store come after `call-ended`."""

from hub.events.parts import Durable


class RecordingStarted(Durable, frozen=True, kw_only=True, tag="recording-started"):
    """The call is recorded. Published once more where a call goes on after it ended, or after the hub was started again.

    `time`: seconds of call time, here and in the other events of recordings.
    """

    time: float


class RecordingPaused(Durable, frozen=True, kw_only=True, tag="recording-paused"):
    """From here on silence is recorded, because somebody wants it so."""

    time: float


class RecordingResumed(Durable, frozen=True, kw_only=True, tag="recording-resumed"):
    """From here on sound is recorded again, after a pause or after a failure."""

    time: float


class RecordingFailed(Durable, frozen=True, kw_only=True, tag="recording-failed"):
    """From here on silence is recorded, because the disk is full or does not answer. `recording-resumed` follows if it does again."""

    time: float
    reason: str


class RecordingStored(Durable, frozen=True, kw_only=True, tag="recording-stored"):
    """The recording of a call that has ended can be had for good. It comes after `call-ended`. `size`: bytes. `sha256`: of all of them."""

    seconds: float
    media_type: str
    size: int
    sha256: str


class RecordingErased(Durable, frozen=True, kw_only=True, tag="recording-erased"):
    """The recording of a call is gone, and what was said is still there. `reason`: such as `kept for 30 days`."""

    reason: str
