"""Conversions between ROS messages and the types of the core, except images."""

from array import array
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose
from nav_msgs.msg import MapMetaData, OccupancyGrid
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, LaserScan, PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header

from enet_ros.errors import BadInput
from enet_ros.freespace.camera import Calibration
from enet_ros.freespace.grid import Grid
from enet_ros.freespace.points import ContactPoints
from enet_ros.label_space.space import LabelSpace
from enet_ros.labels import UNLABELED, LabelClass, LabelSet
from enet_ros.msg import ClassInfo, LabelMap

XYZ = [('x', np.float32), ('y', np.float32), ('z', np.float32)]
LABEL_IDS_REMEDY = ('set output.label_ids of the segmentation node to classes or groups, whose '
                    'ids count from 0')
FIELD_TYPES = {np.dtype(np.float32): PointField.FLOAT32, np.dtype(np.uint8): PointField.UINT8,
               np.dtype(np.uint32): PointField.UINT32}


def message_type_name(message_type: Any) -> str:
    """Return the name of a message type as ROS tools print it, such as std_msgs/msg/String."""
    return f'{message_type.__module__.partition(".")[0]}/msg/{message_type.__name__}'


class ScanGeometry(Protocol):
    """The bearings (rad) and limits (meters) of a scan."""

    @property
    def bearings(self) -> NDArray[np.float64]: ...

    @property
    def increment(self) -> float: ...

    @property
    def range_min(self) -> float: ...

    @property
    def range_max(self) -> float: ...


def label_map(space: LabelSpace, model: str, stamp: Time) -> LabelMap:
    """Return the LabelMap of the values of a model's label images."""
    message = LabelMap(header=Header(stamp=stamp), model=model, unlabelled_id=space.void)
    for value in space.values:
        red, green, blue = (channel / 255 for channel in value.color)
        message.classes.append(ClassInfo(
            id=value.id, name=value.name, drivable=value.drivable,
            color=ColorRGBA(r=red, g=green, b=blue, a=1.0)))
    return message


def label_set(message: LabelMap) -> LabelSet:
    """Return the LabelSet of a LabelMap.

    Raise BadInput if its ids do not count the classes, or if a name or a color is invalid.
    """
    for index, info in enumerate(message.classes):
        if info.id != index:
            raise BadInput(f'label_map: class {info.name!r} at index {index} has id {info.id}; '
                           f'{LABEL_IDS_REMEDY}')
    if message.unlabelled_id != UNLABELED:
        raise BadInput(f'label_map: unlabelled_id is {message.unlabelled_id}, not {UNLABELED}; '
                       f'{LABEL_IDS_REMEDY}')
    return LabelSet(message.model, tuple(
        LabelClass(info.name, _rgb(info), info.drivable) for info in message.classes))


def _rgb(info: ClassInfo) -> tuple[int, int, int]:
    """Return red, green and blue, 0-255; raise BadInput for other values."""
    color = info.color
    if not all(0 <= channel <= 1 for channel in (color.r, color.g, color.b)):
        raise BadInput(f'label_map: class {info.name!r} has the color {color.r:g}, {color.g:g}, '
                       f'{color.b:g}; each must be from 0 to 1')
    return round(255 * color.r), round(255 * color.g), round(255 * color.b)


def label_info_type() -> type | None:
    """Return vision_msgs/LabelInfo, or None if vision_msgs is not installed."""
    try:
        from vision_msgs.msg import LabelInfo
    except ImportError:
        return None
    return LabelInfo


def label_info(space: LabelSpace, threshold: float, stamp: Time) -> object:
    """Return the vision_msgs/LabelInfo of label images and a confidence threshold."""
    from vision_msgs.msg import LabelInfo, VisionClass
    return LabelInfo(
        header=Header(stamp=stamp), threshold=threshold,
        class_map=[VisionClass(class_id=value.id, class_name=value.name)
                   for value in space.values])


def seconds(stamp: Time) -> float:
    """Return a stamp in seconds."""
    return stamp.sec + 1e-9 * stamp.nanosec


def calibration(message: CameraInfo) -> Calibration:
    """Return the Calibration of a CameraInfo."""
    roi = message.roi
    return Calibration(
        message.width, message.height, tuple(message.k), tuple(message.d),
        message.distortion_model, tuple(message.r), tuple(message.p),
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
        (message.binning_x, message.binning_y))


def occupancy_grid(values: NDArray[np.int8], grid: Grid, header: Header) -> OccupancyGrid:
    """Return the OccupancyGrid of the values of a Grid, int8 (rows, columns)."""
    rows, columns = grid.shape
    x, y = grid.origin
    return OccupancyGrid(
        header=header, data=_array('b', values),
        info=MapMetaData(map_load_time=header.stamp, resolution=grid.resolution, width=columns,
                         height=rows, origin=Pose(position=Point(x=x, y=y))))


def laser_scan(ranges: NDArray[np.float32], scan: ScanGeometry, header: Header) -> LaserScan:
    """Return the LaserScan of ranges, float32 (N,) meters."""
    first, last = scan.bearings[[0, -1]].tolist()
    return LaserScan(
        header=header, angle_min=first, angle_max=last, angle_increment=scan.increment,
        range_min=scan.range_min, range_max=scan.range_max, ranges=_array('f', ranges))


def contact_cloud(points: ContactPoints, header: Header) -> PointCloud2:
    """Return the PointCloud2 of contact points: x, y, z, class_id, and confidence if known.

    confidence is 255 x probability.
    """
    columns = {'class_id': points.class_id}
    if points.confidence is not None:
        columns['confidence'] = points.confidence
    cloud = np.zeros((1, len(points.xy)), [*XYZ, *((name, np.uint8) for name in columns)])
    cloud['x'], cloud['y'] = points.xy.T
    for name, values in columns.items():
        cloud[name] = values
    return _point_cloud(cloud, header, is_dense=True)


def ground_cloud(points: NDArray[np.float32]) -> PointCloud2:
    """Return the organized PointCloud2 of ground points x and y, float32 (H, W, 2); z is 0.

    NaN where a pixel shows no ground. The message has no header.
    """
    cloud = np.zeros(points.shape[:2], XYZ)
    cloud['x'], cloud['y'] = np.moveaxis(points, -1, 0)
    cloud['z'][np.isnan(cloud['x'])] = np.nan
    return _point_cloud(cloud, None, is_dense=False)


def semantic_cloud(points: NDArray[np.void], header: Header,
                   with_confidence: bool) -> PointCloud2:
    """Return the PointCloud2 of points of POINT: (H, W) organized, where NaN is kept, or (N,)."""
    names = [name for name in points.dtype.names or () if with_confidence or name != 'confidence']
    return _point_cloud(np.atleast_2d(points), header, points.ndim == 1, names)


def _point_cloud(cloud: NDArray[np.void], header: Header | None, is_dense: bool,
                 names: Sequence[str] = ()) -> PointCloud2:
    """Return the PointCloud2 of a structured array (rows, columns).

    names: of the fields to describe; empty: all.
    """
    rows, columns = cloud.shape
    step = cloud.dtype.itemsize
    fields = [PointField(name=name, offset=offset, datatype=FIELD_TYPES[dtype], count=1)
              for name, (dtype, offset, *_) in (cloud.dtype.fields or {}).items()
              if not names or name in names]
    return PointCloud2(
        header=header, height=rows, width=columns, fields=fields, is_bigendian=False,
        point_step=step, row_step=columns * step, data=_array('B', cloud), is_dense=is_dense)


def _array(typecode: str, values: NDArray) -> array:
    """Return values as an array.array; rclpy checks other sequences element by element."""
    data = array(typecode)
    data.frombytes(np.ascontiguousarray(values).view(np.uint8).reshape(-1).data)
    return data
