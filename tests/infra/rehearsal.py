"""A drill's ground that halts the process it is told, for scripts that a test ends or kills.

Words: the home, the process id to halt, the fleet's code. The fleet's process id is printed.
"""

REHEARSAL = """
import signal, subprocess, sys
from pathlib import Path
from infra.drills import disks
from infra.drills.ending import orderly
from infra.drills.fault import Fault, noted
from infra.drills.ground import Fleet, Ground
from telemetry.settings import Settings

class Supervisor:
    def runs(self):
        return {"streams": None}

class Rehearsal(Ground):
    daemon = Supervisor()

    def pids(self, service):
        return {int(sys.argv[2])}

    def start_fleet(self, fleet):
        command = [sys.executable, "-c", sys.argv[3]]
        fleet = subprocess.Popen(command, env=self._environment, start_new_session=True)
        self.fleets.append(fleet)
        print(fleet.pid, flush=True)

home = Path(sys.argv[1])
"""
