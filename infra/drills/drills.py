"""Every drill, in the order of the list."""

from functools import partial

from infra.drills import clocks, crashes, disks, floods, race
from infra.drills.drill import Drill
from infra.drills.ground import Fleet

ALL = (
    Drill(
        name="broker-crash",
        line="Kafka is killed under traffic",
        does="kills Kafka by SIGKILL; the supervisor starts it again",
        strike=crashes.kill_broker,
        needs_broker=True,
        ends=("kafka",),
        may_fail=True,
    ),
    Drill(
        name="driver-crash",
        line="the stream application is killed in the middle of its work",
        does="kills the stream application, Python and JVM, by SIGKILL",
        strike=crashes.kill_streams,
        ends=("streams",),
        may_fail=True,
    ),
    Drill(
        name="checkpoint-loss",
        line="landing's checkpoint is gone",
        does="stops the streams, moves landing's checkpoint into the drill's folder, recovers it"
        " from bronze, and starts them again",
        strike=crashes.lose_checkpoint,
        stops=("streams",),
        ends=("streams",),
        may_fail=True,
    ),
    Drill(
        name="disk-full",
        line="the disk is full to its last byte, then has room again",
        does="fills the disk; on a light stack of its own, on a disk of 768 MiB in memory",
        strike=disks.fill_up,
        is_apart=True,
    ),
    Drill(
        name="slow-disk",
        line="the disk answers slowly",
        does="halts Kafka and the streams for 0.8 s of every second, for 20 s, as writers on a"
        " slow disk are halted",
        strike=disks.slow_down,
        may_fail=True,
    ),
    Drill(
        name="late-flood",
        line="half of the messages come too late, some ten times too late",
        does="sends late messages for 30 s",
        strike=floods.flood,
        check=partial(floods.has, ("late",)),
        fleet=Fleet("drill-late"),
    ),
    Drill(
        name="duplicate-flood",
        line="nearly every message comes twice, some with other content",
        does="sends messages twice for 30 s",
        strike=floods.flood,
        check=partial(floods.has, ("duplicates", "conflicts")),
        fleet=Fleet("drill-duplicates"),
    ),
    Drill(
        name="hot-device",
        line="one device makes half the traffic, and the others' p95 holds",
        does="sends for 30 s, then for 30 s as much again from one device",
        strike=floods.heat,
        fleet=Fleet("drill-clean"),
    ),
    Drill(
        name="poison",
        line="a message in ten breaks careless parsers",
        does="sends poison for 40 s and watches the memory of the streams",
        strike=floods.watched_flood,
        check=partial(floods.has, ("rejected",)),
        fleet=Fleet("drill-poison"),
    ),
    Drill(
        name="clock-skew",
        line="clocks are years ahead, hours behind, or never set",
        does="sends wrong times for 30 s",
        strike=floods.flood,
        check=clocks.moved_nothing,
        fleet=Fleet("drill-clocks"),
    ),
    Drill(
        name="compaction-race",
        line="jobs rewrite tables while the streams append",
        does="runs the jobs compact, dedup and compact under traffic",
        strike=race.race,
    ),
)
DRILLS = {drill.name: drill for drill in ALL}
