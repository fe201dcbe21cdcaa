"""Another file system over FUSE, where it is installed. It keeps no history: what it shows is what a mount costs elsewhere."""

import os
import shutil
import subprocess
import time

from comparison.shapes import files_of
from comparison.ways import Way
from comparison.workplace import Failure, end, run

WAIT_S = 20


class Rclone(Way):
    """Saves in rclone's mount of a plain directory."""

    name = "rclone"
    title = "rclone's mount of a directory of the same disk, written back at once; no history (where it is installed)"

    @staticmethod
    def installed():
        return shutil.which("rclone") is not None

    def setup(self):
        directory = files_of(self.place, self.origin)
        (directory / "own").mkdir()
        self.mountpoint = self.place.unique("peer")
        self.mountpoint.mkdir()
        self.server = self.place.start(
            ["rclone", "mount", directory, self.mountpoint, "--config", "/dev/null", "--cache-dir", self.place.unique("cache"),
             "--vfs-cache-mode", "writes", "--vfs-write-back", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.place.at_end(self.tear_down)
        deadline = time.monotonic() + WAIT_S
        while not os.path.ismount(self.mountpoint):
            if time.monotonic() > deadline:
                raise Failure(f"rclone mount: not there after {WAIT_S} s")
            time.sleep(0.05)
        self.paths = self.place.list_of(self.shape.changed(0, 1))

    def measure(self, seconds, number):
        return self.client_sample([[self.place.client("save"), "--directory", self.mountpoint, "--warmup", 5,
                                    *self.change_options(self.paths, number, seconds)]], daemon=self.server.pid)

    def tear_down(self):
        if os.path.ismount(self.mountpoint):
            run(["umount", "--lazy", self.mountpoint])
        end(self.server)
