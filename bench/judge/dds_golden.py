"""Writes test/golden/dds/*.cdr: ROS 2 messages as rosbags, which knows the message definitions from
ROS 2 itself, serialises them. test_link_dds_types.c holds the same values.

usage: dds_golden.py FOLDER
"""
import sys
from pathlib import Path

import numpy as np
from rosbags.typesys import Stores, get_typestore

store = get_typestore(Stores.ROS2_HUMBLE)
t = store.types


def f64(*values):
    return np.array(values, dtype=np.float64)


def message(name, *values):
    return t[name](*values)


def header(frame, sec=1700000000, nanosec=123456789):
    return message("std_msgs/msg/Header", message("builtin_interfaces/msg/Time", sec, nanosec), frame)


def vector(x, y, z):
    return message("geometry_msgs/msg/Vector3", x, y, z)


scan = np.array([0.5, 1.25, np.inf, -np.inf, np.nan, 2.0, 12.0, 0.01], dtype=np.float32)
messages = {
    "JointState": message("sensor_msgs/msg/JointState", header("base"), ["shoulder", "elbow", "wrist"],
                          f64(0.1, -0.2, 0.3), f64(1, 2, 3), f64()),
    "Imu": message("sensor_msgs/msg/Imu", header("imu_link"),
                   message("geometry_msgs/msg/Quaternion", 0.1, 0.2, 0.3, 0.9), np.arange(9) / 8.0,
                   vector(1.5, -2.5, 3.5), np.arange(9) / 4.0, vector(0.25, 0.5, 9.81), np.arange(9) / 2.0),
    "LaserScan": message("sensor_msgs/msg/LaserScan", header("laser"), -3.0, 3.0, 0.75, 0.0, 0.1, 0.05, 10.0,
                         scan, np.array([], dtype=np.float32)),
    "Image": message("sensor_msgs/msg/Image", header("camera"), 2, 3, "bgr8", 0, 10,
                     np.arange(20, dtype=np.uint8)),
    "Twist": message("geometry_msgs/msg/Twist", vector(0.5, 0, 0), vector(0, 0, -1.25)),
    "TwistStamped": message("geometry_msgs/msg/TwistStamped", header("base"),
                            message("geometry_msgs/msg/Twist", vector(0.5, 0, 0), vector(0, 0, -1.25))),
    "JointTrajectory": message("trajectory_msgs/msg/JointTrajectory", header("", 0, 0), ["elbow", "wrist"],
                               [message("trajectory_msgs/msg/JointTrajectoryPoint", f64(0.25, -0.75), f64(), f64(),
                                        f64(), message("builtin_interfaces/msg/Duration", 0, 5000000))]),
    "Float64MultiArray": message("std_msgs/msg/Float64MultiArray",
                                 message("std_msgs/msg/MultiArrayLayout", [], 0), f64(3, 1, 4, 1.5)),
}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in messages.items():
        data = bytes(store.serialize_cdr(value, value.__msgtype__))
        (folder / f"{name}.cdr").write_bytes(data)
        print(f"{name}: {len(data)} bytes")
