"""Lightning Fabric: the device, precision and processes of a training run."""

import os
from importlib.util import find_spec

import torch

from enet_ros.engines.compiler import require_compiler
from enet_ros.engines.device import torch_device
from enet_ros.errors import BadInput

# What training needs beyond the core, by module: looked for at the start, not after hours.
PACKAGES = {'lightning_fabric': 'lightning-fabric', 'tensorboard': 'tensorboard',
            'matplotlib': 'matplotlib'}


def make_fabric(config, recipe):
    """Return a launched Fabric for a RunConfig; raise BadInput where it cannot be had.

    With several processes on this machine, the running command is started again for each.
    """
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise BadInput(f'training needs {", ".join(missing)}; pip install {" ".join(missing)}')
    if config.compile:
        require_compiler()
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    accelerator = torch_device(config.device).type
    processes = config.processes * config.machines
    require_processes(config, os.environ)
    if accelerator == 'cuda' and config.processes > torch.cuda.device_count():
        raise BadInput(f'processes is {config.processes}, but this machine has '
                       f'{torch.cuda.device_count()} GPUs; give as many at most')
    if recipe.batch_size % processes:
        raise BadInput(f'batch_size {recipe.batch_size} does not divide among {processes} '
                       'processes; choose a multiple')
    # The decoder has no gradient in the first stage, nor has a head whose answer has no weight.
    strategy = 'auto' if processes == 1 else DDPStrategy(
        find_unused_parameters=recipe.encoder_epochs > 0 or not recipe.encoder_weight)
    fabric = Fabric(accelerator=accelerator, devices=config.processes, num_nodes=config.machines,
                    strategy=strategy, precision=config.precision)
    fabric.launch()
    fabric.print(f'training on {fabric.world_size} x {fabric.device.type}, {config.precision}')
    return fabric


def require_processes(config, environment):
    """Raise BadInput where those that torchrun started are not those that a RunConfig wants."""
    wanted = config.processes * config.machines
    if 'TORCHELASTIC_RUN_ID' in environment:
        started = int(environment['WORLD_SIZE'])
        if started != wanted:
            raise BadInput(f'torchrun started {started} processes, where {wanted} are asked for; '
                           'give its --nproc-per-node as --processes and its --nnodes as '
                           '--machines')
    elif config.machines > 1:
        raise BadInput(f'machines is {config.machines}; start the command on each of them with '
                       f'torchrun --nnodes {config.machines} --node-rank 0, 1 and so on, '
                       f'--nproc-per-node {config.processes} --master-addr FIRST_MACHINE '
                       '-m enet_ros.cli train ...')
