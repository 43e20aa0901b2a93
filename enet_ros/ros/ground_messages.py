"""Messages about the ground, and the geometry that messages tell."""

from array import array

import numpy as np
from geometry_msgs.msg import Point, Pose
from nav_msgs.msg import MapMetaData, OccupancyGrid
from sensor_msgs.msg import LaserScan, PointCloud2, PointField

from enet_ros.freespace.camera import Calibration

XYZ = {'x': np.float32, 'y': np.float32, 'z': np.float32}
FIELD_TYPES = {np.dtype(np.float32): PointField.FLOAT32, np.dtype(np.uint8): PointField.UINT8}


def calibration(camera_info):
    """Return the Calibration that a sensor_msgs/CameraInfo tells."""
    roi = camera_info.roi
    return Calibration(
        camera_info.width, camera_info.height, tuple(camera_info.k), tuple(camera_info.d),
        camera_info.distortion_model, tuple(camera_info.r), tuple(camera_info.p),
        (roi.x_offset, roi.y_offset, roi.width, roi.height),
        (camera_info.binning_x, camera_info.binning_y))


def occupancy_grid(values, grid, header):
    """Return the nav_msgs/OccupancyGrid of int8 (rows, columns) as of a freespace Grid."""
    rows, columns = grid.shape
    x, y = grid.origin
    return OccupancyGrid(
        header=header, data=_array('b', values),
        info=MapMetaData(map_load_time=header.stamp, resolution=grid.resolution, width=columns,
                         height=rows, origin=Pose(position=Point(x=x, y=y))))


def laser_scan(ranges, scan, header):
    """Return the sensor_msgs/LaserScan of float32 (N,) metres as of a freespace Scan."""
    first, last = scan.bearings[[0, -1]].tolist()
    return LaserScan(
        header=header, angle_min=first, angle_max=last, angle_increment=scan.increment,
        range_min=scan.range_min, range_max=scan.range_max, ranges=_array('f', ranges))


def contact_cloud(points, header):
    """Return the sensor_msgs/PointCloud2 of ContactPoints: x, y, z, class_id, confidence.

    confidence, 255 x probability, is there where it is known.
    """
    fields = {**XYZ, 'class_id': np.uint8}
    if points.confidence is not None:
        fields['confidence'] = np.uint8
    cloud = np.zeros((1, len(points.xy)), list(fields.items()))
    cloud['x'], cloud['y'] = points.xy.T
    for name in fields.keys() - XYZ.keys():
        cloud[name] = getattr(points, name)
    return _cloud(cloud, header, True)


def ground_cloud(points):
    """Return the organised sensor_msgs/PointCloud2 of float32 (H, W, 2): x, y, and z of 0.

    NaN where a pixel shows no ground. It has no header yet.
    """
    cloud = np.zeros(points.shape[:2], list(XYZ.items()))
    cloud['x'], cloud['y'] = np.moveaxis(points, -1, 0)
    cloud['z'][np.isnan(cloud['x'])] = np.nan
    return _cloud(cloud, None, False)


def _cloud(cloud, header, dense):
    """Return the PointCloud2 of a structured array (rows, columns)."""
    rows, columns = cloud.shape
    step = cloud.dtype.itemsize
    fields = [PointField(name=name, offset=offset, datatype=FIELD_TYPES[kind], count=1)
              for name, (kind, offset) in cloud.dtype.fields.items()]
    return PointCloud2(
        header=header, height=rows, width=columns, fields=fields, is_bigendian=False,
        point_step=step, row_step=columns * step, data=_array('B', cloud), is_dense=dense)


def _array(code, values):
    """Return the array that rclpy's messages take as it is; all else they walk through."""
    data = array(code)
    data.frombytes(np.ascontiguousarray(values).tobytes())
    return data
