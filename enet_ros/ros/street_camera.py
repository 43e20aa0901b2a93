"""The camera that the replay node simulates for the source `synthetic`."""

from dataclasses import dataclass
from math import degrees, pi

from enet_ros.config import ReplayConfig
from enet_ros.errors import BadInput
from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.ros.parameter_file import Value, read_parameter_file
from enet_ros.synthetic.street import street_camera


@dataclass(frozen=True)
class StreetCamera:
    """Where the simulated camera is, and its frames; pitch in rad, positive looks down."""

    height_m: float
    pitch: float
    base_frame: str
    optical_frame: str

    @classmethod
    def from_parameter_file(cls, path: str, namespace: str, node: str) -> 'StreetCamera':
        """Return the camera of the street that the replay node shows with a parameter file.

        node: the name of the node whose base frame it has.
        """
        values = read_parameter_file(path, 'replay_node', namespace)
        street: dict[str, int] = {}
        for name in ('width', 'height', 'seed'):
            value = values.get(name, getattr(ReplayConfig, name))
            if type(value) is not int:
                raise BadInput(f'{path}: {name} is {value!r}; it must be a whole number')
            street[name] = value
        try:
            ReplayConfig(**street)  # type: ignore[arg-type]  # it checks the ranges
        except BadInput as error:
            raise BadInput(f'{path}: {error}') from error
        camera = street_camera(**street)
        parameters = read_parameter_file(path, node, namespace)
        return cls(float(camera.height_m), float(camera.pitch),
                   str(parameters.get('base_frame', FreeSpaceNodeConfig.base_frame)),
                   str(values.get('frame_id', ReplayConfig.frame_id)))

    def parameters(self) -> dict[str, Value]:
        """Return the parameters that give a node this pose."""
        return {'camera.pose': 'parameters', 'camera.x': 0.0, 'camera.y': 0.0,
                'camera.z': self.height_m, 'camera.roll': 0.0, 'camera.pitch': self.pitch,
                'camera.yaw': 0.0}

    def transform_arguments(self) -> list[str]:
        """Return the arguments of static_transform_publisher: base frame to optical frame."""
        return ['--z', f'{self.height_m:.6f}', '--roll', f'{-pi / 2 - self.pitch:.6f}',
                '--yaw', f'{-pi / 2:.6f}', '--frame-id', self.base_frame,
                '--child-frame-id', self.optical_frame]

    def __str__(self) -> str:
        return (f'{self.height_m:.3f} m above the ground, looking down by '
                f'{degrees(self.pitch):.2f} degrees')
