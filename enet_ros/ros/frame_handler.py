"""All the work on one frame, in the order in which it is done."""

import time

from enet_ros.images.postprocess import Painter, hide_uncertain, scale_labels
from enet_ros.msg import FrameTiming
from enet_ros.ros.compressed import array_to_jpeg
from enet_ros.ros.convert import array_to_image, scale_camera_info
from enet_ros.ros.stream_handler import StreamHandler
from enet_ros.timing import StageTimer

FOR_PEOPLE = {'color', 'overlay', 'overlay/compressed'}


class FrameHandler(StreamHandler):
    """Judges, converts, segments, draws and publishes frames, in the worker's thread.

    pool is the model's, masks {topic name: class id}. What nobody subscribes to is not made.
    """

    def __init__(self, pool, masks, streams, clock, logger):
        super().__init__(logger)
        self.pool, self.clock = pool, clock
        palette = pool.labels.palette()[:, ::-1]  # BGR
        self.masks = {f'mask/{name}': class_id for name, class_id in masks.items()}
        self._painters = {stream: Painter(palette) for stream in streams}
        self._inference = 0.0  # milliseconds that the network took last
        self._size = None  # that the network last ran at

    def drop(self, stream, arrival, reason, stages=None):
        """Count a frame of which nothing is published, and tell those who follow the timing."""
        stream.statistics.dropped(reason)
        if 'timing' in stream.wanted():
            self._publish_timing(stream, arrival, stages or {}, arrival.age(self.clock()), reason)

    def handle(self, stream, arrival, wanted):
        if not wanted:
            return
        limit = arrival.config.latency.budget_ms
        segmenter = self._choose(limit)
        started = self.clock()
        age = arrival.age(started)
        timer = StageTimer(time.monotonic)
        timer.milliseconds['queueing'] = 1e3 * (started - arrival.at)
        if reason := stream.admission.before_work(age, limit):
            self.pool.policy.observe(age, stream.admission.median_work(), self._inference)
            return self.drop(stream, arrival, reason, timer.milliseconds)
        answer = Answer(stream, arrival, segmenter, self._painters[stream], self.masks, timer,
                        wanted)
        began = time.monotonic()
        results = answer.results()
        ready = self.clock()
        work = 1e3 * (ready - started)
        # Stages are real time; ages, in simulation, may run faster or slower.
        self._inference = work * timer.milliseconds['inference'] / (
            1e3 * (time.monotonic() - began))
        stream.admission.record_work(work)
        self.pool.policy.observe(age, work, self._inference)
        age = arrival.age(ready)
        if reason := stream.admission.before_publishing(age, limit):
            return self.drop(stream, arrival, reason, timer.milliseconds)
        self._publish(stream, arrival, answer, results, age)

    def _publish(self, stream, arrival, answer, results, age):
        """Publish first what machines wait for, then pictures, then what all of it took."""
        timer, start = answer.timer, self.clock()
        with timer.stage('publishing'):
            stream.publish(results)
        stream.admission.record_publishing(1e3 * (self.clock() - start))
        pictures = answer.pictures()
        with timer.stage('publishing'):
            stream.publish(pictures)
        total = 1e3 * (self.clock() - arrival.at)
        stream.statistics.timed({**timer.milliseconds, 'total': total, 'age': age})
        stream.statistics.published()
        if 'timing' in answer.wanted:
            self._publish_timing(stream, arrival, timer.milliseconds, age)

    def _choose(self, limit):
        """Return the segmenter for the next frame."""
        size = self.pool.policy.choose(limit)
        if size != self._size:
            for stream in self._painters:
                stream.admission.reset()
            if self._size is not None:
                self.logger.info(f'the network runs at {size[0]}x{size[1]} now, after '
                                 f'{self._size[0]}x{self._size[1]}, to keep {limit:g} ms')
            self._size = size
        return self.pool.segmenter

    def _publish_timing(self, stream, arrival, stages, age, reason=''):
        limit, segmenter = arrival.config.latency.budget_ms, self.pool.segmenter
        stream.publish({'timing': FrameTiming(
            header=arrival.message.header, age_on_arrival_ms=arrival.age_ms,
            **{f'{stage}_ms': milliseconds for stage, milliseconds in stages.items()},
            total_ms=1e3 * (self.clock() - arrival.at), age_ms=age, budget_ms=limit,
            within_budget=not reason and (not limit or age <= limit), drop_reason=reason,
            dropped=stream.statistics.all_dropped, engine=segmenter.engine.name,
            network_width=segmenter.size[0], network_height=segmenter.size[1])})


class Answer:
    """What the network says of one frame, as the messages that are wanted.

    Results are for machines and come first; pictures for people can wait.
    """

    def __init__(self, stream, arrival, segmenter, painter, masks, timer, wanted):
        self.stream, self.arrival, self.segmenter = stream, arrival, segmenter
        self.painter, self.masks, self.timer, self.wanted = painter, masks, timer, wanted
        self.header = arrival.message.header

    def results(self):
        """Return messages by topic: label, confidence, masks and camera_info."""
        config, wanted = self.arrival.config, self.wanted
        with self.timer.stage('conversion'):
            self.frame = self.stream.to_frame(self.arrival.message, config.input.white_level)
        threshold = config.output.confidence_threshold
        segmentation = self.segmenter(self.frame.image, self.frame.order,
                                      confidence=threshold > 0 or 'confidence' in wanted)
        self.timer.milliseconds.update(segmentation.timings)
        with self.timer.stage('postprocessing'):
            labels, confidence = segmentation.labels, segmentation.confidence
            if threshold > 0:
                labels = hide_uncertain(labels, confidence, threshold)
            image_size = self.frame.image.shape[1::-1]
            self.size = image_size if config.output.size == 'input' else labels.shape[::-1]
            self.labels = self.painter.scaled(labels, *self.size)
            planes = {topic: self.painter.mask(self.labels, class_id)
                      for topic, class_id in self.masks.items() if topic in wanted}
            planes['label'] = self.labels
            if 'confidence' in wanted:
                planes['confidence'] = scale_labels(confidence, *self.size)
        with self.timer.stage('publishing'):
            # The label is the first to leave.
            topics = sorted(planes.keys() & wanted, key=lambda topic: topic != 'label')
            messages = {topic: array_to_image(planes[topic], 'mono8', self.header)
                        for topic in topics}
            info = self.stream.fitting_info(*image_size)
            if info and 'camera_info' in wanted:
                messages['camera_info'] = scale_camera_info(info, *self.size)
                messages['camera_info'].header = self.header
        return messages

    def pictures(self):
        """Return messages by topic: color, overlay and its compressed form."""
        overlay = self.arrival.config.overlay
        wanted = self.wanted & FOR_PEOPLE
        with self.timer.stage('postprocessing'):
            painted = {}
            if wanted:
                painted['color'] = color = self.painter.color(self.labels)
            if wanted - {'color'}:
                painted['overlay'] = self.painter.overlay(
                    self.frame.image, self.frame.order, color, overlay.alpha)
        with self.timer.stage('publishing'):
            messages = {topic: array_to_image(painted[topic], 'bgr8', self.header)
                        for topic in wanted & painted.keys()}
            if 'overlay/compressed' in wanted:
                messages['overlay/compressed'] = array_to_jpeg(
                    painted['overlay'], overlay.jpeg_quality, self.header)
        return messages
