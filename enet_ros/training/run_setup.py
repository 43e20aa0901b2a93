"""What a training run starts from."""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enet_ros.config import NORMALIZATIONS, Recipe, RunConfig
from enet_ros.data.frames import Dataset
from enet_ros.errors import BadInput
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network
from enet_ros.paths import OutputFolder
from enet_ros.training.run_state import RunState, read_state
from enet_ros.training.teacher import Teacher

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass
class RunSetup:
    """A run that is ready to start or resume.

    network has its initial weights. settings is what the result depends on, as plain data; it
    becomes the `training` of checkpoints. state is that of the interrupted run in the output
    folder, or None. teacher is the network whose predictions are learned, or None.
    """

    fabric: 'Fabric'
    config: RunConfig
    recipe: Recipe
    dataset: Dataset
    folder: Path
    spec: ModelSpec
    network: Network
    settings: dict[str, Any]
    state: RunState | None
    teacher: Teacher | None

    @property
    def state_file(self) -> Path:
        """Return the path of the file with the run's state."""
        return self.folder / 'state.pt'


def prepare_run(fabric: 'Fabric', config: RunConfig, recipe: Recipe, dataset: Dataset,
                teacher: Teacher | None = None, unlabeled_frames: int = 0) -> RunSetup:
    """Create the output folder and the network, and read the state of an interrupted run.

    unlabeled_frames is their number.

    No frame is read, so that an unusable folder, checkpoint or state is reported at once, as
    BadInput.
    """
    mean, std = NORMALIZATIONS[recipe.normalization]
    width, height = dataset.size
    spec = ModelSpec(dataset.labels, recipe.architecture, width, height, mean=mean, std=std)
    folder = OutputFolder(config.out).path
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f'cannot write to {folder}; choose another --out')
    initial_training: dict[str, Any] | str = ''
    if config.initial:
        network, spec, initial_training = _load_initial(fabric, config.initial, spec)
    else:
        network = spec.build()
    settings = {
        'data': dataset.name,
        'frames': {split: len(dataset.splits[split]) for split in ('train', 'val')},
        **asdict(recipe), 'initial': initial_training, 'seed': config.seed,
        'precision': config.precision, 'processes': fabric.world_size}
    if teacher is not None:
        settings['teacher'] = {'name': Path(teacher.name).name, 'digest': teacher.digest}
        settings['unlabeled'] = unlabeled_frames
    setup = RunSetup(fabric, config, recipe, dataset, folder, spec, network, settings, None,
                     teacher)
    setup.state = read_state(setup.state_file, settings, fabric.device)
    return setup


def _load_initial(fabric: 'Fabric', path: str,
                  spec: ModelSpec) -> tuple[Network, ModelSpec, dict[str, Any]]:
    """Load the checkpoint to start from.

    Return its network, the spec with the checkpoint's architecture options and license, and how
    it was trained. The output layer is replaced if the classes differ. Raise BadInput if the
    checkpoint has another architecture or normalization than the spec.
    """
    network, initial = checkpoint.load(path)
    if initial.architecture != spec.architecture:
        raise BadInput(f'{path} is a {initial.architecture}, not a {spec.architecture}; '
                       'start from another checkpoint')
    if (initial.mean, initial.std) != (spec.mean, spec.std):
        raise BadInput(f'{path} was trained with mean {initial.mean} and std {initial.std}; '
                       'choose the normalization that has them')
    spec = replace(spec, architecture_options=initial.architecture_options,
                   license=initial.license)
    if initial.labels.names != spec.labels.names:
        fabric.print(f'{path} has the classes of {initial.labels.name}: its last layer is '
                     'replaced by one with random weights')
        network.output = spec.build().output
    return network, spec, initial.training
