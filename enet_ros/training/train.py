"""Train ENet on CamVid and the synthetic street, encoder first, as in section 5 of the paper."""

import math
import os
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from enet_ros import checkpoint
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models.enet import STRIDE
from enet_ros.segmenter import Segmenter
from enet_ros.training.datasets import FolderFrames, SyntheticFrames
from enet_ros.training.evaluate import describe, evaluate
from enet_ros.training.loss import class_weights, segmentation_loss
from enet_ros.training.samples import TrainingSamples

# Held-out streets start far above the training streets' seeds.
TRAIN_STREETS, EVALUATION_STREETS = 1_000, 1_000_000
EVALUATION_FRAMES = 64
# Weight of the encoder's own answer in the second stage.
COARSE_SHARE = 0.4


def train(config):
    """Train as `config` (TrainConfig) says and return the path of the best checkpoint.

    Continues from the run's last state where its folder holds one. The best weights by mean IoU
    on CamVid's validation frames stand in `<out>/best.safetensors`.
    """
    torch.manual_seed(config.seed)
    root = Path(config.camvid)
    real = list(tqdm(FolderFrames(root / 'train', CAMVID), 'read train', leave=False))
    validation = list(tqdm(FolderFrames(root / 'val', CAMVID), 'read val', leave=False))
    height, width = validation[0][1].shape
    synthetic = list(tqdm(SyntheticFrames(width, height, TRAIN_STREETS, config.synthetic_frames),
                          'draw streets', leave=False)) if config.synthetic_per_batch else []
    held_out = list(SyntheticFrames(width, height, EVALUATION_STREETS, EVALUATION_FRAMES))
    samples = TrainingSamples(real, synthetic, config)
    first_stage = samples.steps_of(config.encoder_epochs)

    spec = checkpoint.ModelSpec(CAMVID, width=width, height=height)
    run = Run(config, spec, first_stage, samples.steps, class_weights(
        (labels for _, labels in real), len(CAMVID), config.class_weight_offset))
    run.resume()
    remaining = Subset(samples, range(run.step * config.batch_size, len(samples)))
    # One process: the frames are in memory, and a step takes far longer than its samples.
    batches = DataLoader(remaining, config.batch_size)
    steps_per_evaluation = max(1, samples.steps_of(config.evaluate_every))
    with tqdm(batches, 'train', initial=run.step, total=samples.steps, unit='step') as bar:
        for images, labels in bar:
            loss = run.advance(images, labels)
            bar.set_postfix(loss=f'{loss:.3f}', rate=f'{run.schedule.get_last_lr()[0]:.1e}',
                            best=f'{run.best:.3f}')
            finished = run.step == samples.steps
            if finished or run.step % steps_per_evaluation == 0:
                tqdm.write(run.evaluate(validation, held_out))
            if finished or run.step % config.checkpoint_every == 0:
                run.save()
    return run.best_file


class Run:
    """One training run: the network, its optimiser, and what has been reached so far."""

    def __init__(self, config, spec, first_stage, steps, weights):
        self.config, self.spec, self.first_stage = config, spec, first_stage
        self.folder = Path(config.out)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.best_file = self.folder / 'best.safetensors'
        self.state_file = self.folder / 'state.pt'
        self.model = TwoHeads(self._initial()).to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.model, multi_avg_fn=_moving_average(config.average_decay), use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), config.learning_rate, weight_decay=config.weight_decay,
            fused=True)
        self.schedule = LambdaLR(self.optimizer, lambda step: one_cycle(
            step / first_stage if step < first_stage
            else (step - first_stage) / max(1, steps - first_stage)))
        self.step, self.best = 0, 0.0
        mean = 255 * torch.tensor(spec.mean).view(1, 3, 1, 1)
        std = 255 * torch.tensor(spec.std).view(1, 3, 1, 1)

        def loss_of(images, labels, whole):
            x = (images.permute(0, 3, 1, 2) - mean) / std  # (N, 3, H, W), channels last
            with torch.autocast('cpu', torch.bfloat16, enabled=config.bfloat16):
                coarse, fine = self.model(x, whole)
            middle = labels[:, STRIDE // 2::STRIDE, STRIDE // 2::STRIDE]
            loss = segmentation_loss(coarse.float(), middle, weights)
            if whole:
                # Contiguous: the loss runs along pixels, the classes are too few to run along.
                loss = (COARSE_SHARE * loss
                        + segmentation_loss(fine.float().contiguous(), labels, weights))
            return loss

        self.loss_of = torch.compile(loss_of) if config.compile else loss_of

    def _initial(self):
        if not self.config.initial:
            return self.spec.build()
        model, spec = checkpoint.load(self.config.initial)
        if spec.labels != self.spec.labels:
            raise BadInput(f'{self.config.initial} tells the classes of {spec.labels.name} apart, '
                           f'not those of {self.spec.labels.name}; start from another checkpoint')
        return model

    def advance(self, images, labels):
        """Take one step on a batch and return its loss."""
        # Seeded by step, so that drop-out in a resumed run falls as it would have fallen.
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        self.model.train()
        loss = self.loss_of(images, labels, self.step >= self.first_stage)
        if not torch.isfinite(loss):
            raise BadInput(f'the loss is {loss.item()} at step {self.step}; '
                           'lower the learning rate and start from the last state')
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.model)
        self.step += 1
        return loss.item()

    def evaluate(self, validation, held_out):
        """Score the averaged weights, keep the best network's, and return a line."""
        whole = self.step > self.first_stage
        trained = self.average.module
        segmenter = Segmenter(trained.network if whole else CoarseAnswer(trained), self.spec,
                              device='cpu')
        metrics = {'camvid_val': describe(evaluate(segmenter, validation), CAMVID),
                   'synthetic': describe(evaluate(segmenter, held_out), CAMVID)}
        score = metrics['camvid_val']['mean_iou']
        if whole and score >= self.best:
            self.best = score
            checkpoint.save(self.best_file, trained.network, checkpoint.ModelSpec(
                **{**vars(self.spec), 'metrics': metrics, 'training': self._recipe(),
                   'licence': 'Weights trained on CamVid: for research use.'}))
        return (f'step {self.step}, {"whole network" if whole else "encoder"}: '
                f'mIoU {score:.4f} on val, '
                f'{metrics["synthetic"]["mean_iou"]:.4f} on unseen streets; {metrics}')

    def save(self):
        """Write all that resuming needs, in one step."""
        part = self.state_file.with_suffix('.part')
        torch.save({'recipe': self._recipe(), 'step': self.step, 'best': self.best,
                    'model': self.model.state_dict(), 'average': self.average.state_dict(),
                    'optimizer': self.optimizer.state_dict(),
                    'schedule': self.schedule.state_dict()}, part)
        os.replace(part, self.state_file)

    def resume(self):
        """Continue from the folder's state, where there is one of the same recipe."""
        if not self.state_file.exists():
            return
        state = torch.load(self.state_file, weights_only=True)
        if state['recipe'] != self._recipe():
            raise BadInput(f'{self.state_file} is of a run with other settings; '
                           'use them again, or another output folder')
        self.step, self.best = state['step'], state['best']
        self.model.load_state_dict(state['model'])
        self.average.load_state_dict(state['average'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.schedule.load_state_dict(state['schedule'])

    def _recipe(self):
        settings = asdict(self.config)
        # Where things lie and how often they are looked at does not change the result.
        for name in ('camvid', 'out', 'checkpoint_every', 'evaluate_every', 'compile'):
            del settings[name]
        if self.config.initial:
            settings['initial'] = checkpoint.read_spec(self.config.initial).training
        return {'data': 'CamVid train and synthetic streets', **settings}


class TwoHeads(nn.Module):
    """ENet with a second answer, by a 1x1 convolution of the encoder's features.

    That head is all there is above the encoder in the first stage; later it goes on as an
    auxiliary, so that the encoder does not learn through the narrow decoder alone.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.head = nn.Conv2d(128, network.output.out_channels, 1)

    def forward(self, image, whole):
        """Return logits (N, classes, H/8, W/8), and if `whole` (N, classes, H, W), else None.

        H and W are multiples of 8.
        """
        features, positions = self.network.encode(image)
        return self.head(features), self.network.decode(features, positions) if whole else None


class CoarseAnswer(nn.Module):
    """The first stage's network with its logits stretched to the image's size."""

    def __init__(self, two_heads):
        super().__init__()
        self.two_heads = two_heads

    def forward(self, image):
        height, width = image.shape[2:]
        logits = F.interpolate(self.two_heads(image, whole=False)[0], scale_factor=STRIDE,
                               mode='bilinear')
        return logits[:, :, :height, :width]


def one_cycle(progress):
    """Return the share of the peak learning rate at `progress`, 0 to 1, of a stage.

    Up in a straight line over the first tenth, then down to nothing along half a cosine.
    """
    rise = 0.1
    if progress < rise:
        return 0.04 + 0.96 * progress / rise
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - rise) / (1 - rise)))


def _moving_average(decay):
    """Return an update for AveragedModel; while young, the average follows more closely."""
    def update(averaged, current, count):
        count = float(count)
        get_ema_multi_avg_fn(min(decay, (1 + count) / (10 + count)))(averaged, current, count)

    return update
