"""The work on frames, one after another, whatever goes wrong with one."""

import traceback

from enet_ros.errors import BadInput


class StreamHandler:
    """Hands frames to `handle(stream, arrival, wanted)`; counts and tells those that fail.

    It is called in the worker's thread. wanted are the topics that somebody subscribes to.
    """

    def __init__(self, logger):
        self.logger = logger

    def __call__(self, stream, arrival):
        try:
            self.handle(stream, arrival, stream.wanted())
        except BadInput as error:
            self._fail(stream, 'unusable', error, str(error))
        except Exception as error:  # the next frame may be fine
            if stream.node.context.ok():  # else it is taken away under the thread: the end
                self._fail(stream, 'failed', error, traceback.format_exc())

    def _fail(self, stream, reason, error, text):
        stream.statistics.dropped(reason)
        stream.statistics.failed(error)
        self.logger.error(f'{stream.item} dropped: {text}', throttle_duration_sec=1.0)
