"""Check that two processes that train together agree with one, for test_training.py.

They must share a teacher's predictions, average gradients, sum scores, and refuse to resume from
different states.

usage: two_processes.py CAMVID_ROOT OUT
"""

import copy
import sys
from dataclasses import replace

import pytest
import torch
from torch.utils.data import default_collate

from enet_ros.config import RunConfig
from enet_ros.data.datasets import open_dataset
from enet_ros.errors import BadInput
from enet_ros.evaluation.evaluate import evaluate
from enet_ros.training.fabric import make_fabric
from enet_ros.training.recipe import load_recipe
from enet_ros.training.run import Run
from enet_ros.training.run_setup import prepare_run
from enet_ros.training.samples import TeacherData, TrainingSamples
from enet_ros.training.teacher import open_teacher
from enet_ros.training.teacher_predictions import predict_frames, predictions_folder


def main(root, out):
    """Compare the gradients of a step and the scores of a split with those of one process."""
    config = RunConfig(root=root, out=out, device='cpu', processes=2, compile=False)
    recipe = load_recipe(changes={'encoder_epochs': 0, 'epochs': 1, 'batch_size': 4, 'crop': 32})
    fabric = make_fabric(config, recipe)
    torch.manual_seed(0)
    dataset = open_dataset('camvid', root)
    train = dataset.splits['train']
    frames = [train[i] for i in range(len(train))]
    height, width = frames[0][1].shape
    teacher = open_teacher('enet_camvid', '', dataset.labels, (width, height), fabric.device)
    folder = predictions_folder(teacher, out)
    predict_frames(teacher, frames, folder, rank=fabric.global_rank, processes=2)
    fabric.barrier()
    predictions = predict_frames(teacher, frames, folder)
    samples = TrainingSamples(frames, [], recipe, 0, TeacherData(predictions, [], predictions))
    pixels = train.count_pixels()
    run = Run(prepare_run(fabric, config, recipe, dataset, teacher), samples, pixels)
    trainer = run.trainer

    parts = [default_collate([samples[n] for n in samples.indices(0, rank, 2)[:2]])
             for rank in range(2)]
    alone = [gradients(copy.deepcopy(trainer.objective.module), part, seed)
             for seed, part in enumerate(parts)]
    assert run.train_step(*parts[fabric.global_rank])['teacher_loss'] > 0
    together = [p.grad for p in trainer.model.parameters()]
    for one, other, averaged in zip(*alone, together):
        torch.testing.assert_close(averaged, (one + other) / 2, rtol=1e-3, atol=1e-5)
    assert any(not torch.allclose(one, other, rtol=0.1) for one, other in zip(*alone))

    segmenter = run.segmenter(trainer.averaged_network())
    frames = [train[0], train[1], train[0]]  # an odd number: one process segments more
    matrix = run.confusion_matrix(segmenter, frames)
    assert (matrix.counts == evaluate(segmenter, frames).counts).all()

    run.save_state()
    fabric.barrier()
    resumed = Run(prepare_run(fabric, config, recipe, dataset, teacher), samples, pixels)
    assert resumed.trainer.step == 1
    for before, after in zip(trainer.model.parameters(), resumed.trainer.model.parameters()):
        assert torch.equal(before, after)
    own = replace(config, out=f'{out}/{fabric.global_rank or ""}')
    with pytest.raises(BadInput, match=r'at the steps \[1, 0\]; give them the same --out'):
        Run(prepare_run(fabric, own, recipe, dataset, teacher), samples, pixels)
    print(f'process {fabric.global_rank}: agreed', flush=True)


def gradients(objective, part, seed):
    """Return the gradients of one part of a batch, with dropout seeded as in a training step."""
    torch.manual_seed(seed)
    objective.train()
    images, labels, probabilities = part
    objective(images, labels, True, probabilities).total.backward()
    return [p.grad for p in objective.model.parameters()]


if __name__ == '__main__':
    main(*sys.argv[1:])
