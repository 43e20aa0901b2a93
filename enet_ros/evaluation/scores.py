"""The scores of an evaluation."""

from dataclasses import dataclass, field

from enet_ros.evaluation.cityscapes_metrics import InstanceCounts, category_iou
from enet_ros.evaluation.metrics import ConfusionMatrix, mean
from enet_ros.labels import CITYSCAPES, LabelSet

ScoreByName = dict[str, float]


@dataclass(frozen=True)
class Scores:
    """Accuracy over frames: of all labeled pixels, and by the name of the class or category.

    Classes that do not occur have NaN and are left out of means. Only Cityscapes has the scores
    by category, and only frames with instances have iIoU; otherwise these are empty.
    """

    pixel_accuracy: float
    iou: ScoreByName
    accuracy: ScoreByName
    category_iou: ScoreByName = field(default_factory=dict)
    iiou: ScoreByName = field(default_factory=dict)
    category_iiou: ScoreByName = field(default_factory=dict)

    @classmethod
    def of(cls, matrix: ConfusionMatrix, labels: LabelSet,
           instances: InstanceCounts | None = None) -> 'Scores':
        """Return the scores of a ConfusionMatrix and, if frames have them, of their instances."""
        return cls(
            matrix.accuracy(),
            iou=dict(zip(labels.names, matrix.iou().tolist())),
            accuracy=dict(zip(labels.names, matrix.class_accuracy().tolist())),
            category_iou=category_iou(matrix) if labels.names == CITYSCAPES.names else {},
            iiou=instances.iou(matrix) if instances else {},
            category_iiou=instances.category_iou(matrix) if instances else {})

    @property
    def mean_iou(self) -> float:
        """Return the mean IoU of the classes that occur."""
        return mean(self.iou.values())

    def to_dict(self) -> dict[str, float | ScoreByName]:
        """Return plain data for JSON: each score by name, its mean, and the pixel accuracy."""
        by_name = {'iou': self.iou, 'accuracy': self.accuracy, 'category_iou': self.category_iou,
                   'iiou': self.iiou, 'category_iiou': self.category_iiou}
        present = {kind: scores for kind, scores in by_name.items() if scores}
        means = {f'mean_{kind}': mean(scores.values()) for kind, scores in present.items()}
        return {'pixel_accuracy': self.pixel_accuracy, **means, **present}
