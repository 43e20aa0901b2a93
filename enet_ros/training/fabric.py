"""Lightning Fabric: the device, precision and processes of a training run."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, cast

import torch

from enet_ros.config import Recipe, RunConfig
from enet_ros.engines.compiler import require_compiler
from enet_ros.engines.torch_device import torch_device
from enet_ros.errors import BadInput

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Packages that training needs, by module. They are checked at the start, not after hours.
PACKAGES = {'lightning_fabric': 'lightning-fabric', 'tensorboard': 'tensorboard',
            'matplotlib': 'matplotlib'}


def make_fabric(config: RunConfig, recipe: Recipe) -> 'Fabric':
    """Return a launched Fabric; raise BadInput if the configuration cannot run here.

    With several processes on this machine, Fabric starts the running command again for each.
    """
    if missing := [package for module, package in PACKAGES.items() if find_spec(module) is None]:
        raise BadInput(f'training needs {", ".join(missing)}; pip install {" ".join(missing)}')
    if config.compile:
        require_compiler()
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    accelerator = torch_device(config.device).type
    processes = config.processes * config.machines
    check_processes(config, os.environ)
    if accelerator == 'cuda' and config.processes > torch.cuda.device_count():
        raise BadInput(f'processes is {config.processes}, but this machine has '
                       f'{torch.cuda.device_count()} GPUs; use at most one process per GPU')
    if recipe.batch_size % processes:
        raise BadInput(f'batch_size {recipe.batch_size} cannot be divided among {processes} '
                       'processes; choose a multiple of that')
    # The decoder has no gradient in the first stage, nor has a head without weight in the second.
    unused_parameters = recipe.encoder_epochs > 0 or not recipe.encoder_weight
    strategy = DDPStrategy(find_unused_parameters=unused_parameters) if processes > 1 else 'auto'
    precision = cast(Literal['32-true', 'bf16-mixed'], config.precision)  # RunConfig's choices
    fabric = Fabric(accelerator=accelerator, devices=config.processes, num_nodes=config.machines,
                    strategy=strategy, precision=precision)
    fabric.launch()
    fabric.print(f'training on {fabric.world_size} x {fabric.device.type}, {config.precision}')
    return fabric


def check_processes(config: RunConfig, environment: Mapping[str, str]) -> None:
    """Raise BadInput if torchrun started other processes than the configuration requests.

    environment: the environment variables of this process.
    """
    requested = config.processes * config.machines
    if 'TORCHELASTIC_RUN_ID' in environment:
        started = int(environment['WORLD_SIZE'])
        if started != requested:
            raise BadInput(f'torchrun started {started} processes, but {requested} are requested; '
                           'set --processes to its --nproc-per-node and --machines to its '
                           '--nnodes')
    elif config.machines > 1:
        raise BadInput(f'machines is {config.machines}; start the command on each of them with '
                       f'torchrun --nnodes {config.machines} --node-rank 0, 1 and so on, '
                       f'--nproc-per-node {config.processes} --master-addr FIRST_MACHINE '
                       '-m enet_ros.cli train ...')
