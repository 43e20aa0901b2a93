"""Recordings for tests, written without ROS."""

import numpy as np
import pytest


def write_bag(path, messages, storage='sqlite3'):
    """Write (topic, function) pairs; a function returns the message, given the types."""
    rosbag2 = pytest.importorskip('rosbags.rosbag2')
    from rosbags.typesys import Stores, get_typestore
    store = get_typestore(Stores.ROS2_HUMBLE)
    plugin = getattr(rosbag2.StoragePlugin, storage.upper())
    links = {}
    with rosbag2.Writer(path, version=9, storage_plugin=plugin) as bag:
        for stamp, (topic, make) in enumerate(messages):
            message = make(store.types)
            if topic not in links:
                links[topic] = bag.add_connection(topic, message.__msgtype__, typestore=store)
            data = store.serialize_cdr(message, message.__msgtype__)
            bag.write(links[topic], stamp, data)
    return path


def header(types, stamp=0):
    """Return a header; stamp: in seconds."""
    time = types['builtin_interfaces/msg/Time'](sec=stamp, nanosec=0)
    return types['std_msgs/msg/Header'](stamp=time, frame_id='camera')


def raw(pixels, encoding, padding=0, cut=0, stamp=0):
    """Return a function that makes a sensor_msgs/Image of uint8 (H, W) or (H, W, C)."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1) if pixels.size else pixels
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=255).ravel()
    return lambda types: types['sensor_msgs/msg/Image'](
        header=header(types, stamp), height=height, width=width, encoding=encoding, is_bigendian=0,
        step=rows.shape[1] + padding, data=data[:data.size - cut])


def from_raw_image(raw):
    """Return a function that makes the sensor_msgs/Image of a RawImage."""
    return lambda types: types['sensor_msgs/msg/Image'](
        header=header(types), height=raw.height, width=raw.width, encoding=raw.encoding,
        is_bigendian=int(raw.is_bigendian), step=raw.step, data=np.frombuffer(raw.data, np.uint8))


def compressed(data, form='jpeg'):
    return lambda types: types['sensor_msgs/msg/CompressedImage'](
        header=header(types), format=form, data=np.frombuffer(data, np.uint8))


def text(types):
    return types['std_msgs/msg/String'](data='hello')


def camera_info(width, height, stamp=0):
    """Return a function that makes a sensor_msgs/CameraInfo."""
    k = np.array([50, 0, width / 2, 0, 50, height / 2, 0, 0, 1], float)
    return lambda types: types['sensor_msgs/msg/CameraInfo'](
        header=header(types, stamp), height=height, width=width, distortion_model='plumb_bob',
        d=np.zeros(5), k=k, r=np.eye(3).ravel(), p=np.eye(3, 4).ravel(), binning_x=0,
        binning_y=0, roi=types['sensor_msgs/msg/RegionOfInterest'](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False))


def read_bag(path):
    """Return [(topic, time, message)] of a recording, and its connections by topic."""
    rosbag2 = pytest.importorskip('rosbags.rosbag2')
    from enet_ros.images.bag_writer import make_typestore
    store = make_typestore()
    with rosbag2.Reader(path) as bag:
        messages = [(connection.topic, time, store.deserialize_cdr(data, connection.msgtype))
                    for connection, time, data in bag.messages()]
        return messages, {connection.topic: connection for connection in bag.connections}
