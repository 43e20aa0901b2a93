"""Train a network with a recipe: `enet train`."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from enet_ros.config import Recipe, RunConfig
from enet_ros.data.datasets import open_dataset
from enet_ros.data.frames import Dataset, LabeledImages, ResizedFrames
from enet_ros.data.streets import FIRST_UNSEEN_SEED, SIZE, SyntheticFrames, training_streets
from enet_ros.data.unlabeled import UnlabeledFrames
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.training.fabric import make_fabric
from enet_ros.training.run import Run
from enet_ros.training.run_setup import prepare_run
from enet_ros.training.samples import TeacherData, TrainingSamples
from enet_ros.training.teacher import Teacher, open_teacher
from enet_ros.training.teacher_predictions import predict_frames, predictions_folder
from enet_ros.training.training_log import Row

if TYPE_CHECKING:
    from lightning_fabric import Fabric

MEMORY_LIMIT = 4e9  # bytes; frames that need more are read from disk each time


def train(config: RunConfig, recipe: Recipe) -> Path:
    """Train a network and return the path of the best checkpoint.

    Resume from the last state of the run if its folder holds one. `<out>/best.safetensors` has
    the weights with the highest mean IoU on the split val, `<out>/last.safetensors` the last.
    """
    fabric = make_fabric(config, recipe)
    torch.manual_seed(config.seed)
    dataset = open_dataset(config.data, config.root)
    train_frames, val_frames = dataset.splits['train'], dataset.splits['val']
    if config.teacher and not recipe.teach_labeled and not config.unlabeled:
        raise BadInput('the teacher has nothing to teach: teach_labeled is false, and there are '
                       'no unlabeled frames; name folders of them with --unlabeled')
    teacher = _open_teacher(config, dataset, fabric.device)
    unlabeled = _open_unlabeled(config, fabric)
    setup = prepare_run(fabric, config, recipe, dataset, teacher, len(unlabeled))
    class_pixels = train_frames.count_pixels(progress=fabric.is_global_zero)
    val_frames.check(progress=fabric.is_global_zero)
    if recipe.synthetic_share and not _has_street_classes(dataset):
        fabric.print(f'ignoring synthetic_share {recipe.synthetic_share}: synthetic streets lack '
                     f'the classes of {dataset.name}')

    teacher_data = None
    if teacher is not None:
        taught = train_frames if recipe.teach_labeled else None
        teacher_data = _teacher_data(teacher, config, taught, unlabeled, fabric)
    samples = _make_samples(dataset, recipe, config.seed, teacher_data)
    frames: dict[str, LabeledImages] = {'val': val_frames}
    if _has_street_classes(dataset):
        streets = SyntheticFrames(*SIZE, FIRST_UNSEEN_SEED, config.scored_streets)
        # Rendered once, because every evaluation needs them.
        frames['streets'] = [streets[index] for index in range(len(streets))]

    run = Run(setup, samples, class_pixels)
    trainer = run.trainer
    indices = samples.indices(trainer.step, fabric.global_rank, fabric.world_size)
    batches = DataLoader(Subset(samples, indices), recipe.batch_size // fabric.world_size,
                         num_workers=config.workers)
    steps_per_evaluation = samples.steps_of(config.evaluate_every)
    with tqdm(fabric.setup_dataloaders(batches, use_distributed_sampler=False), 'train',
              initial=trainer.step, total=samples.steps, unit='step',
              disable=not fabric.is_global_zero) as progress:
        for batch in progress:
            losses = run.train_step(*batch)
            progress.set_postfix(loss=_losses_text(losses), lr=f'{trainer.learning_rate:.1e}',
                                 best=f'{run.best_score:.3f}')
            finished = trainer.step == samples.steps
            if finished or trainer.step % steps_per_evaluation == 0:
                line = run.evaluate(frames)
                if fabric.is_global_zero:
                    tqdm.write(f'{line}, loss {_losses_text(losses)}')
            if finished or trainer.step % config.checkpoint_every == 0:
                run.save_state()
    return run.best_file


def _open_teacher(config: RunConfig, dataset: Dataset, device: torch.device) -> Teacher | None:
    if not config.teacher:
        return None
    return open_teacher(config.teacher, config.teacher_mapping, dataset.labels, dataset.size,
                        device)


def _open_unlabeled(config: RunConfig, fabric: 'Fabric') -> LabeledImages:
    """Return the unlabeled frames, possibly none, and print which files are skipped."""
    if not config.unlabeled:
        return []
    frames = UnlabeledFrames(config.unlabeled)
    for line in frames.skipped:
        fabric.print(line)
    return frames


def _teacher_data(teacher: Teacher, config: RunConfig, real: LabeledImages | None,
                  unlabeled: LabeledImages, fabric: 'Fabric') -> TeacherData:
    """Have the teacher predict each frame that is not in its cache."""
    folder = predictions_folder(teacher, config.teacher_cache)
    if fabric.world_size > 1:  # the processes share the work, so that all frames are in the cache
        for frames in (real or [], unlabeled):
            predict_frames(teacher, frames, folder, progress=fabric.is_global_zero,
                           rank=fabric.global_rank, processes=fabric.world_size)
        fabric.barrier()
    return TeacherData(
        None if real is None else predict_frames(teacher, real, folder,
                                                 progress=fabric.is_global_zero),
        _resized(unlabeled, teacher.size, 'read unlabeled'),
        predict_frames(teacher, unlabeled, folder, progress=fabric.is_global_zero))


def _losses_text(losses: Row) -> str:
    """Return a step's loss, and the teacher's share of it if there is a teacher."""
    text = f'{losses["loss"]:.3f}'
    if 'teacher_loss' in losses:
        share = losses['teacher_loss'] / losses['loss'] if losses['loss'] else 0.0
        text += f' ({share:.0%} teacher)'
    return text


def _make_samples(dataset: Dataset, recipe: Recipe, seed: int,
                  teacher_data: TeacherData | None) -> TrainingSamples:
    """Return the samples of a run: the split train, and synthetic streets if they fit."""
    real = _resized(dataset.splits['train'], dataset.size, 'read train')
    synthetic: LabeledImages = []
    if recipe.synthetic_per_batch and _has_street_classes(dataset):
        synthetic = _resized(training_streets(dataset.size, recipe.synthetic_frames),
                             dataset.size, 'render streets')
    return TrainingSamples(real, synthetic, recipe, seed, teacher_data)


def _has_street_classes(dataset: Dataset) -> bool:
    return dataset.labels == CAMVID


def _resized(frames: LabeledImages, size: tuple[int, int], description: str) -> LabeledImages:
    """Return frames resized to (width, height), in memory if they fit into MEMORY_LIMIT."""
    resized = ResizedFrames(frames, size)
    width, height = size
    if len(resized) * width * height * 4 > MEMORY_LIMIT:
        return resized
    return [resized[index] for index in tqdm(range(len(resized)), description, leave=False)]
