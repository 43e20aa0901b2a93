"""Counts, checks and scores what the segmentation node publishes for each image."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.images.contact_sheet import contact_sheet
from enet_ros.images.postprocess import colorize
from enet_ros.labels import LabelSet
from enet_ros.ros.convert import image_to_array
from enet_ros.ros.demo.checks import faults

SAMPLES = 3  # frames on the contact sheet
MASKS = 6    # of each of them


@dataclass
class FrameMessages:
    """All messages of one stamp, by topic."""

    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    latency: float = float('nan')  # seconds from the stamp until the label image was received


class Score:
    """Counts, faults, latencies and accuracy of the frames so far.

    Args:
        expected: number of frames that are to be segmented.
        dropped_before: FrameTiming.dropped before the first frame.
    """

    def __init__(self, labels: LabelSet, expected: int, dropped_before: int = 0) -> None:
        self.labels = labels
        self.expected = expected
        self.dropped_before = dropped_before
        self.sent = self.segmented = self.unsegmented = self.scored = self.dropped_by_node = 0
        self.last_sent = self.first = self.last = time.monotonic()
        self.latencies: list[float] = []
        self.faults: list[str] = []
        self.matrix = ConfusionMatrix(len(labels))
        self.samples: list[FrameMessages] = []
        self.sample_numbers = {expected * (2 * i + 1) // (2 * SAMPLES) for i in range(SAMPLES)}

    def add(self, frame: FrameMessages) -> None:
        """Check and score the outputs for one image."""
        found = faults(frame.inputs, frame.outputs, self.labels)
        self.faults += [f'frame {self.segmented + 1}: {fault}' for fault in found]
        self.last = time.monotonic()
        self.first = self.first if self.segmented else self.last
        self.latencies.append(frame.latency)
        self.dropped_by_node = frame.outputs['timing'].dropped - self.dropped_before
        if 'truth' in frame.inputs and not found:
            self.matrix.add(mono_pixels(frame.inputs['truth']),
                            mono_pixels(frame.outputs['label']))
            self.scored += 1
        if not found and (self.segmented in self.sample_numbers or not self.samples):
            self.samples = self.samples[-SAMPLES + 1:] + [frame]
        self.segmented += 1

    def add_incomplete(self, frame: FrameMessages) -> None:
        """Count an image that gets no more outputs; some without the others are a fault."""
        if 'image' not in frame.inputs:
            self.faults.append(f'{", ".join(frame.outputs)}: with the stamp of no image')
            return
        if frame.outputs:
            self.faults += [f'an image got only some outputs: {fault}' for fault in
                            faults(frame.inputs, frame.outputs, self.labels)]
        self.unsegmented += 1

    def rate(self) -> float:
        """Return the segmented frames per second."""
        return (self.segmented - 1) / max(self.last - self.first, 1e-9) if self.segmented else 0.0

    def progress(self) -> str:
        """Return a short line for the status line."""
        newest = 1e3 * self.latencies[-1] if self.latencies else float('nan')
        return (f'frame {self.segmented} of {self.expected}, {self.rate():.1f} Hz, '
                f'latency {newest:.0f} ms, dropped {self.unsegmented}')

    def report(self) -> list[str]:
        """Return the figures, a line each."""
        p50, p95, p99 = np.percentile(self.latencies, (50, 95, 99)) * 1e3
        lines = [
            f'frames    {self.sent} sent, {self.segmented} segmented and checked',
            f'rate      {self.rate():.1f} Hz',
            f'latency   p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms '
            '(label received - stamp of the image)',
            f'dropped   {self.unsegmented} ({self.dropped_by_node} counted by segmentation_node)']
        if self.scored:
            lines.append(f'mIoU      {self.matrix.mean_iou():.4f} over {self.scored} frames')
            lines += [f'  {name:<14}{iou:.3f}'
                      for name, iou in zip(self.labels.names, self.matrix.iou())]
        return lines

    def draw_samples(self, title: str) -> NDArray[np.uint8]:
        """Return a contact sheet of sample frames with their largest masks, (H, W, 3) RGB."""
        areas = sum(np.bincount(mono_pixels(frame.outputs['label']).ravel(), minlength=256)
                    for frame in self.samples)
        shown = sorted(np.argsort(-np.asarray(areas)[:len(self.labels)], kind='stable')[:MASKS])
        palette = self.labels.palette()
        rows = []
        for frame in self.samples:
            pictures = {'input': frame.inputs['image'], 'overlay': frame.outputs['overlay'],
                        'color': frame.outputs['color']}
            row = [(name, image_to_array(message).rgb()) for name, message in pictures.items()]
            if 'truth' in frame.inputs:
                row.append(('ground truth', colorize(mono_pixels(frame.inputs['truth']), palette)))
            masks = [f'mask/{self.labels.classes[i].topic_name}' for i in shown]
            rows += [row, [(name, mono_pixels(frame.outputs[name])) for name in masks]]
        return contact_sheet(title, rows, self.labels)


def mono_pixels(message: Image) -> NDArray[np.uint8]:
    """Return the pixels of a mono8 image, (H, W)."""
    return image_to_array(message).image[..., 0]
