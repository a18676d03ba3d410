"""A ROS 2 machine's side of the DDS link, by Eclipse's own Python binding (another release of
Cyclone DDS, with its own serialiser) and message types written down here from the ROS 2
definitions: drives `genba machine` and reads what it publishes, first the mobile robot, then the
pushing table with its streams in the other types.

usage: dds_judge.py GENBA MAP
"""
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsPublication, BuiltinTopicDcpsSubscription
from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.annotations import final
from cyclonedds.idl.types import array, float32, float64, int32, sequence, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

DOMAIN = 89
LOOPBACK = """<CycloneDDS><Domain Id="any"><General><Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces>
<AllowMulticast>false</AllowMulticast></General><Discovery><ParticipantIndex>auto</ParticipantIndex>
<MaxAutoParticipantIndex>32</MaxAutoParticipantIndex><Peers><Peer Address="127.0.0.1"/></Peers></Discovery></Domain>
</CycloneDDS>"""


def ros(package, name):
    return f"{package}::msg::dds_::{name}_"


@final
@dataclass
class Time(IdlStruct, typename=ros("builtin_interfaces", "Time")):
    sec: int32
    nanosec: uint32


@final
@dataclass
class Header(IdlStruct, typename=ros("std_msgs", "Header")):
    stamp: Time
    frame_id: str


@final
@dataclass
class JointState(IdlStruct, typename=ros("sensor_msgs", "JointState")):
    header: Header
    name: sequence[str]
    position: sequence[float64]
    velocity: sequence[float64]
    effort: sequence[float64]


@final
@dataclass
class LaserScan(IdlStruct, typename=ros("sensor_msgs", "LaserScan")):
    header: Header
    angle_min: float32
    angle_max: float32
    angle_increment: float32
    time_increment: float32
    scan_time: float32
    range_min: float32
    range_max: float32
    ranges: sequence[float32]
    intensities: sequence[float32]


@final
@dataclass
class Dimension(IdlStruct, typename=ros("std_msgs", "MultiArrayDimension")):
    label: str
    size: uint32
    stride: uint32


@final
@dataclass
class Layout(IdlStruct, typename=ros("std_msgs", "MultiArrayLayout")):
    dim: sequence[Dimension]
    data_offset: uint32


@final
@dataclass
class Array(IdlStruct, typename=ros("std_msgs", "Float64MultiArray")):
    layout: Layout
    data: sequence[float64]


@final
@dataclass
class Vector3(IdlStruct, typename=ros("geometry_msgs", "Vector3")):
    x: float64
    y: float64
    z: float64


@final
@dataclass
class Quaternion(IdlStruct, typename=ros("geometry_msgs", "Quaternion")):
    x: float64
    y: float64
    z: float64
    w: float64


@final
@dataclass
class Twist(IdlStruct, typename=ros("geometry_msgs", "Twist")):
    linear: Vector3
    angular: Vector3


@final
@dataclass
class Imu(IdlStruct, typename=ros("sensor_msgs", "Imu")):
    header: Header
    orientation: Quaternion
    orientation_covariance: array[float64, 9]
    angular_velocity: Vector3
    angular_velocity_covariance: array[float64, 9]
    linear_acceleration: Vector3
    linear_acceleration_covariance: array[float64, 9]


@final
@dataclass
class Duration(IdlStruct, typename=ros("builtin_interfaces", "Duration")):
    sec: int32
    nanosec: uint32


@final
@dataclass
class Point(IdlStruct, typename=ros("trajectory_msgs", "JointTrajectoryPoint")):
    positions: sequence[float64]
    velocities: sequence[float64]
    accelerations: sequence[float64]
    effort: sequence[float64]
    time_from_start: Duration


@final
@dataclass
class JointTrajectory(IdlStruct, typename=ros("trajectory_msgs", "JointTrajectory")):
    header: Header
    joint_names: sequence[str]
    points: sequence[Point]


PUSHT = """plant: pusht
simulated: true
observations:
  - {name: agent.position, topic: /plan, type: JointTrajectory, columns: [x, y], scale: 2}
  - {name: block.position, topic: /cmd_vel, type: Twist, columns: [linear.x, angular.z]}
  - {name: block.angle, topic: /imu/data, type: Imu, columns: [angular_velocity.z]}
actions:
  - {name: agent.target, topic: /target, type: JointState, columns: [x, y]}
"""

SENSOR_DATA = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(5))  # rmw_qos_profile_sensor_data
DEFAULT = Qos(Policy.Reliability.Reliable(100_000_000), Policy.History.KeepLast(10))  # rmw_qos_profile_default


def until(what, seconds, look):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = look()
        if value:
            return value
        time.sleep(0.01)
    sys.exit(f"dds_judge: {what}: not within {seconds} s")


def newest(reader):
    samples = [s for s in reader.take(50) if hasattr(s, "header") or hasattr(s, "data")]
    return samples[-1] if samples else None


def check(condition, what):
    if not condition:
        sys.exit(f"dds_judge: {what}")


def names(participant, builtin):
    return {e.topic_name: e.type_name for e in BuiltinDataReader(participant, builtin).take(200)
            if e.topic_name.startswith("rt/")}


def judge(participant):
    scan = DataReader(participant, Topic(participant, "rt/scan", LaserScan), qos=SENSOR_DATA)
    joints = DataReader(participant, Topic(participant, "rt/joint_states", JointState), qos=DEFAULT)
    heading = DataReader(participant, Topic(participant, "rt/planner/heading", Array), qos=DEFAULT)
    writer = DataWriter(participant, Topic(participant, "rt/wheel_controller/commands", Array), qos=DEFAULT)
    first = until("a LaserScan", 20, lambda: newest(scan))
    check(len(first.ranges) == 360, f"{len(first.ranges)} beams instead of 360")
    check(all(first.range_min <= r <= first.range_max for r in first.ranges), "ranges beyond their limits")
    check(math.isclose(first.angle_increment, 2 * math.pi / 360, rel_tol=1e-6), "angle_increment")
    before = until("a heading", 20, lambda: newest(heading)).data[0]

    def turn():
        writer.write(Array(Layout([], 0), [-3.0, 3.0]))  # wheels against each other: it turns left
        state = newest(joints)
        return state if state and state.velocity[1] > 1 else None

    state = until("the wheels to follow a command", 20, turn)
    check(state.name == ["left", "right"], f"joints {state.name}")
    check(state.velocity[0] < -1 and not state.position and not state.effort, f"velocity {state.velocity}")
    age = time.time() - (state.header.stamp.sec + state.header.stamp.nanosec * 1e-9)
    check(0 <= age < 5, f"header.stamp is {age} s old")
    after = until("a heading", 20, lambda: newest(heading)).data[0]
    published = names(participant, BuiltinTopicDcpsPublication)
    wanted = {"rt/scan": ros("sensor_msgs", "LaserScan"), "rt/joint_states": ros("sensor_msgs", "JointState"),
              "rt/planner/heading": ros("std_msgs", "Float64MultiArray")}
    for topic, type_name in wanted.items():
        check(published.get(topic) == type_name, f"{topic} is announced as {published.get(topic)}")
    subscribed = names(participant, BuiltinTopicDcpsSubscription)
    check(subscribed.get("rt/wheel_controller/commands") == ros("std_msgs", "Float64MultiArray"),
          "the commands' topic is not announced")
    print(json.dumps({"judge": "dds", "beams": len(first.ranges), "turned_rad": round(after - before, 4),
                      "announced": published}))


def judge_other_types(participant):
    plan = DataReader(participant, Topic(participant, "rt/plan", JointTrajectory), qos=DEFAULT)
    speed = DataReader(participant, Topic(participant, "rt/cmd_vel", Twist), qos=DEFAULT)
    imu = DataReader(participant, Topic(participant, "rt/imu/data", Imu), qos=SENSOR_DATA)
    writer = DataWriter(participant, Topic(participant, "rt/target", JointState), qos=DEFAULT)
    target = {"x": 256.0, "y": 128.0}
    # Twist has no header and newest() looks for one: the fields of a message tell it from a disposal
    block = until("a Twist", 20, lambda: [s for s in speed.take(50) if hasattr(s, "linear")])[-1]
    check(block.linear.x > 0 and block.angular.z > 0 and block.linear.y == 0, f"block at {block}")
    check(math.isfinite(until("an Imu", 20, lambda: newest(imu)).angular_velocity.z), "Imu")

    def arrive():
        now = time.time_ns()
        stamp = Time(now // 10**9, now % 10**9)
        # the names in another order than in the map, with a joint that it does not have
        writer.write(JointState(Header(stamp, ""), ["y", "other", "x"], [target["y"], -1.0, target["x"]], [], []))
        m = newest(plan)
        if not m:
            return None
        check(m.joint_names == ["x", "y"] and len(m.points) == 1, f"trajectory {m}")
        check(m.points[0].time_from_start.nanosec == 10_000_000, "time_from_start is no tick")
        check(m.header.stamp.sec == 0 and not m.points[0].velocities, "stamp or velocities")
        at = [2 * v for v in m.points[0].positions]  # scale: 2
        return at if math.dist(at, [target["x"], target["y"]]) < 1 else None

    print(json.dumps({"judge": "dds", "agent_went_to": until("the agent to arrive", 20, arrive)}))


def machine(genba, plant, map_path):
    return subprocess.Popen(
        [genba, "machine", plant, "--link", f"dds://{DOMAIN}", "--map", map_path, "--seconds", "90"],
        env={"CYCLONEDDS_URI": LOOPBACK}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    genba, map_path = sys.argv[1:3]
    domain = Domain(DOMAIN, LOOPBACK)
    participant = DomainParticipant(DOMAIN)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as pusht:
        pusht.write(PUSHT)
        pusht.flush()
        for plant, path, look in (("mobile", map_path, judge), ("pusht", pusht.name, judge_other_types)):
            running = machine(genba, plant, path)
            try:
                look(participant)
            finally:
                running.terminate()
                running.wait()
    del domain


if __name__ == "__main__":
    main()
