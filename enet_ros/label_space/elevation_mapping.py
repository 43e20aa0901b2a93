"""The entries that make elevation_mapping_cupy read the masks of the segmentation node.

Format: the parameters of elevation_mapping_node in
https://github.com/leggedrobotics/elevation_mapping_cupy, branch for ROS 2.
"""

from collections.abc import Sequence

from enet_ros.errors import BadInput
from enet_ros.label_space.space import LabelSpace
from enet_ros.labels import topic_name

FUSION = 'exponential'


def channels_yaml(space: LabelSpace, names: Sequence[str] = (),
                  node: str = '/segmentation_node') -> str:
    """Return the text of a parameter file with one channel for each mask topic.

    names: of the classes or groups; empty for all. node: full name of the segmentation node.
    Raise BadInput for unknown names, and for names that share a topic.
    """
    values = space.named(names) if names else space.values
    channels = [topic_name(value.name) for value in values]
    for channel, value in zip(channels, values):
        if not channel or channels.count(channel) > 1:
            raise BadInput(f'{value.name!r} has no mask topic of its own; rename it')
    lines = ['/**:', '  ros__parameters:', '    image_channel_fusions:',
             *(f"      {channel}: '{FUSION}'" for channel in channels), '    subscribers:']
    for channel in channels:
        lines += [f'      mask_{channel}:', '        data_type: image',
                  f"        topic_name: '{node}/mask/{channel}'",
                  f"        camera_info_topic_name: '{node}/camera_info'",
                  f"        channels: ['{channel}']"]
    layers = ', '.join(f"'{name}'" for name in ('elevation', *channels))
    lines += ['    publishers:', '      semantic_map:', f'        layers: [{layers}]',
              "        basic_layers: ['elevation']", '        fps: 5.0']
    return '\n'.join(lines) + '\n'
