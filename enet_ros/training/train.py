"""Train a network by a recipe: `enet train`."""

import os
from dataclasses import asdict, replace

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from enet_ros.config import NORMALIZATIONS
from enet_ros.data.datasets import open_dataset
from enet_ros.data.frames import ResizedFrames
from enet_ros.data.streets import FIRST_UNSEEN_SEED, SIZE, SyntheticFrames, training_streets
from enet_ros.errors import BadInput
from enet_ros.evaluation.evaluate import evaluate
from enet_ros.evaluation.scores import Scores
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint
from enet_ros.paths import OutputFolder
from enet_ros.segmenter import Segmenter
from enet_ros.training.fabric import make_fabric
from enet_ros.training.loss import class_weights
from enet_ros.training.objective import EncoderPrediction, Objective, with_heads
from enet_ros.training.progress import Progress
from enet_ros.training.samples import TrainingSamples
from enet_ros.training.schedule import rate_share

KEPT_BYTES = 4e9  # frames that need more memory than this are read from disk each time
OPTIMIZERS = {'adamw': torch.optim.AdamW, 'adam': torch.optim.Adam}


def train(config, recipe):
    """Train as `config` (RunConfig) and `recipe` (Recipe) say; return the best checkpoint's path.

    Continues from the run's last state where its folder holds one. `<out>/best.safetensors` has
    the best weights by mean IoU on the data set's val, `<out>/last.safetensors` the last.
    """
    fabric = make_fabric(config, recipe)
    torch.manual_seed(config.seed)
    dataset = open_dataset(config.data, config.root)
    frames = {split: dataset.splits[split] for split in ('train', 'val')}
    run = Run(fabric, config, recipe, dataset)
    counts = frames['train'].count_pixels(progress=fabric.is_global_zero)
    frames['val'].check(progress=fabric.is_global_zero)
    streets = dataset.labels == CAMVID
    if recipe.synthetic_share and not streets:
        fabric.print(f'synthetic_share {recipe.synthetic_share} was asked for; training goes '
                     f'without synthetic streets, which have not the classes of {dataset.name}')
    samples = TrainingSamples(
        _prepare(frames['train'], dataset.size, 'read train'),
        _prepare(training_streets(dataset.size, recipe.synthetic_frames), dataset.size,
                 'draw streets') if streets and recipe.synthetic_per_batch else [],
        recipe, config.seed)
    scored = {'val': frames['val']}
    if streets:
        # Drawn once, as they are scored again and again.
        scored['streets'] = list(SyntheticFrames(*SIZE, FIRST_UNSEEN_SEED, config.scored_streets))

    run.begin(samples, counts)
    numbers = samples.numbers(run.step, fabric.global_rank, fabric.world_size)
    batches = DataLoader(Subset(samples, numbers), recipe.batch_size // fabric.world_size,
                         num_workers=config.workers)
    steps_per_evaluation = samples.steps_of(config.evaluate_every)
    with tqdm(fabric.setup_dataloaders(batches, use_distributed_sampler=False), 'train',
              initial=run.step, total=samples.steps, unit='step',
              disable=not fabric.is_global_zero) as bar:
        for images, labels in bar:
            loss = run.advance(images, labels)
            bar.set_postfix(loss=f'{loss:.3f}', rate=f'{run.schedule.get_last_lr()[0]:.1e}',
                            best=f'{run.best:.3f}')
            finished = run.step == samples.steps
            if finished or run.step % steps_per_evaluation == 0:
                line = run.evaluate(scored)
                if fabric.is_global_zero:
                    tqdm.write(line)
            if finished or run.step % config.checkpoint_every == 0:
                run.save()
    return run.best_file


def _prepare(frames, size, task):
    """Return frames of one size, in memory where there is room."""
    frames = ResizedFrames(frames, size)
    if len(frames) * size[0] * size[1] * 4 > KEPT_BYTES:
        return frames
    return [frames[i] for i in tqdm(range(len(frames)), task, leave=False)]


class Run:
    """One training run: the network, its optimiser, and what has been reached so far.

    Making it reads no frame, so that a folder, checkpoint or state that will not do shows at once,
    as BadInput. `begin` makes it ready for steps.
    """

    def __init__(self, fabric, config, recipe, dataset):
        self.fabric, self.config, self.recipe, self.dataset = fabric, config, recipe, dataset
        mean, std = NORMALIZATIONS[recipe.normalization]
        self.spec = checkpoint.ModelSpec(dataset.labels, recipe.architecture, *dataset.size,
                                         mean=mean, std=std)
        self.folder = OutputFolder(config.out).path
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise BadInput(f'cannot write to {self.folder}; choose another --out')
        self.best_file = self.folder / 'best.safetensors'
        self.state_file = self.folder / 'state.pt'
        self.progress = Progress(self.folder, dataset.labels)
        self.step, self.best = 0, 0.0
        self.network, initial = self._initial()
        # What the result depends on, as plain data.
        self.training = {
            'data': dataset.name,
            'frames': {split: len(dataset.splits[split]) for split in ('train', 'val')},
            **asdict(recipe), 'initial': initial, 'seed': config.seed,
            'precision': config.precision, 'processes': fabric.world_size}
        self.state = self._read_state()

    def begin(self, samples, counts):
        """Make ready for steps on TrainingSamples, after the folder's state where it has one.

        counts are the pixels of each class in all real frames, int64 (classes,).
        """
        config, recipe, fabric = self.config, self.recipe, self.fabric
        self.samples = samples
        self.first_stage = samples.steps_of(recipe.encoder_epochs)
        objective = Objective(with_heads(self.network, recipe.dropout),
                              self.spec.mean, self.spec.std,
                              class_weights(counts, recipe.class_weight_offset), recipe)
        objective.to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            objective.heads, multi_avg_fn=_moving_average(recipe.average_decay), use_buffers=True)
        self.average.to(fabric.device)
        optimizer = OPTIMIZERS[recipe.optimizer](
            objective.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay,
            fused=True)
        self.schedule = LambdaLR(optimizer, lambda step: self._rate_share(step))
        if config.compile:
            objective.compile()
        self.heads = objective.heads
        self.objective, self.optimizer = fabric.setup(objective, optimizer)
        if self.state:
            self._resume()
        steps = fabric.all_gather(torch.tensor(self.step)).flatten().tolist()
        if len(set(steps)) > 1:
            raise BadInput(f'the processes found {self.state_file} at the steps {steps}; give '
                           'them one --out, a folder that all machines share')

    def _initial(self):
        """Return the network to start from, and how it was trained."""
        if not self.config.initial:
            return self.spec.build(), ''
        model, spec = checkpoint.load(self.config.initial)
        if spec.architecture != self.spec.architecture:
            raise BadInput(f'{self.config.initial} is a {spec.architecture}, not a '
                           f'{self.spec.architecture}; start from another checkpoint')
        if (spec.mean, spec.std) != (self.spec.mean, self.spec.std):
            raise BadInput(f'{self.config.initial} knows images of mean {spec.mean} and deviation '
                           f'{spec.std}; choose the normalisation that has them')
        self.spec = replace(self.spec, architecture_options=spec.architecture_options)
        if spec.labels.names != self.spec.labels.names:
            self.fabric.print(f'{self.config.initial} has the classes of {spec.labels.name}: its '
                              'last layer is left out and begins from random weights')
            model.output = self.spec.build().output
        return model, spec.training

    def _rate_share(self, step):
        epoch = step * self.samples.real_per_batch / len(self.samples.real)
        if step < self.first_stage:
            return rate_share(self.recipe.schedule, epoch, self.recipe.encoder_epochs)
        return rate_share(self.recipe.schedule, epoch - self.recipe.encoder_epochs,
                          self.recipe.epochs)

    def advance(self, images, labels):
        """Take one step on this process's part of a batch and return its loss."""
        # Seeded by step, so that drop-out in a resumed run falls as it would have fallen.
        torch.manual_seed((self.config.seed * 1_000_003 + self.step) * 1_009
                          + self.fabric.global_rank)
        self.objective.train()
        loss = self.objective(images, labels, self.step >= self.first_stage)
        if not torch.isfinite(loss):
            raise BadInput(f'the loss is {loss.item()} at step {self.step}; '
                           'lower the learning rate, in another output folder')
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.heads)
        self.step += 1
        loss = loss.item()
        self.progress.add_loss(self.step, loss)
        return loss

    def evaluate(self, scored):
        """Score the averaged weights on frames by name, keep what is best, and return a line."""
        whole, trained, segmenter = self._whole(), self.average.module, self.segmenter()
        scores = {name: Scores.of(self.count(segmenter, frames), self.dataset.labels)
                  for name, frames in scored.items()}
        score = scores['val'].mean_iou
        if self.fabric.is_global_zero:
            if whole:
                spec = replace(
                    self.spec, training=self.training,
                    metrics={name: values.to_dict() for name, values in scores.items()},
                    license=f'Trained on {self.dataset.name}; its terms of use apply.')
                checkpoint.save(self.folder / 'last.safetensors', trained.network, spec)
                if score >= self.best:
                    checkpoint.save(self.best_file, trained.network, spec)
            self.progress.add_scores(self.step, self.schedule.get_last_lr()[0], scores)
            self.progress.write(segmenter, scored)
        if whole:
            self.best = max(self.best, score)
        means = ', '.join(f'{values.mean_iou:.4f} on {name}' for name, values in scores.items())
        return f'step {self.step}, {"whole network" if whole else "encoder"}: mIoU {means}'

    def segmenter(self):
        """Return a Segmenter of the averaged weights, the same in every process."""
        trained = self.average.module
        if self.fabric.world_size > 1:
            # Each has normalised its own part of the batches: their running statistics differ.
            trained.load_state_dict(self.fabric.broadcast(trained.state_dict()))
        network = trained.network if self._whole() else EncoderPrediction(trained)
        return Segmenter(network, self.spec, engine='torch',
                         device=self.fabric.device.type, precision='float32')

    def _whole(self):
        return self.step > self.first_stage

    def count(self, segmenter, frames):
        """Return the confusion matrix on frames, of which each process segments its share."""
        rank, ranks = self.fabric.global_rank, self.fabric.world_size
        matrix = evaluate(segmenter, (frames[i] for i in range(rank, len(frames), ranks)))
        counts = self.fabric.to_device(torch.from_numpy(matrix.counts))
        matrix.counts = self.fabric.all_reduce(counts, reduce_op='sum').cpu().numpy()
        return matrix

    def save(self):
        """Write all that resuming needs, in one step."""
        if not self.fabric.is_global_zero:
            return
        part = self.state_file.with_suffix('.part')
        torch.save({'recipe': self.training, 'step': self.step, 'best': self.best,
                    'heads': self.heads.state_dict(), 'average': self.average.state_dict(),
                    'optimizer': self.optimizer.state_dict(),
                    'schedule': self.schedule.state_dict(),
                    'progress': self.progress.state_dict()}, part)
        os.replace(part, self.state_file)

    def _read_state(self):
        """Return the folder's state, or None; raise BadInput for one of another run."""
        if not self.state_file.exists():
            return None
        try:
            state = torch.load(self.state_file, map_location=self.fabric.device,
                               weights_only=True)
            training = {**self.training, **state['recipe']}  # older states say less
        except Exception as error:  # of many kinds, where bytes are missing
            raise BadInput(f'{self.state_file} cannot be read as the state of a run '
                           f'({type(error).__name__}); remove it, or take another --out'
                           ) from error
        if other := [name for name in training if training[name] != self.training.get(name)]:
            raise BadInput(f'{self.state_file} is of a run with other settings '
                           f'({", ".join(other)}); use them again, or another output folder')
        return state

    def _resume(self):
        state, self.state = self.state, None
        self.step, self.best = state['step'], state['best']
        self.heads.load_state_dict(state['heads'])
        self.average.load_state_dict(state['average'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.schedule.load_state_dict(state['schedule'])
        self.progress.load_state_dict(state['progress'])


def _moving_average(decay):
    """Return an update for AveragedModel; while young, the average follows more closely."""
    def update(averaged, current, count):
        count = float(count)
        get_ema_multi_avg_fn(min(decay, (1 + count) / (10 + count)))(averaged, current, count)

    return update
