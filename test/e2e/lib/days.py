# SPDX-License-Identifier: Apache-2.0
"""
Days that pass in a moment: gateway and simulator run under libfaketime and read their wall clock from one file. The
monotonic clock, and with it every time-out, stays real.
"""

import glob
import os
import subprocess
import tempfile
import time

from harness import Gateway, binary, free_port, wait_until

DAY = 86400


class Days:
    """`stand(-9)`: it is nine days ago, at noon (UTC), for all processes started with `env`."""

    def __init__(self):
        found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not found:
            raise AssertionError("libfaketime is missing; test/e2e/packages.txt names the package")
        self.file = os.path.join(tempfile.mkdtemp(prefix="tollgate-days-"), "clock")
        self.env = {"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": self.file, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
                    "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else waits on the monotonic clock end at once
                    "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}
        self.today = int(time.time()) // DAY
        self.stand(0)

    def stand(self, days, hour=12):
        """Seconds are whole, so the offset is too: the file says how far the clock is from the real one."""
        offset = (self.today + days) * DAY + hour * 3600 - int(time.time())
        with open(self.file + ".new", "w") as f:
            f.write(f"{offset:+d}\n")
        os.rename(self.file + ".new", self.file)

    def text(self, days):
        return time.strftime("%Y-%m-%d", time.gmtime((self.today + days) * DAY))


class DatedWorld:
    """A simulator and a gateway on the same days."""

    def __init__(self, args=(), sim_args=(), start=0):
        self.days = Days()
        self.days.stand(start)
        self.port = free_port()
        self.sim = subprocess.Popen([binary("tollgate-sim"), "--listen", f"127.0.0.1:{self.port}", *sim_args],
                                    env=dict(os.environ, **self.days.env), stdout=subprocess.DEVNULL)
        self.gw = Gateway(args=["--import-period", "1ms", "--import-days", "30", *args], env=self.days.env)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self):
        return self

    def __exit__(self, *what):
        try:
            self.gw.__exit__(*what)
        finally:
            self.sim.terminate()
            self.sim.wait(10)

    def import_bill(self, key="sk-admin-secret-for-tests-0123456789", slug="admin"):
        """Connects OpenAI's bill, or imports it again, and waits for it."""
        done = self.gw.cli("connect", "openai-admin", "--slug", slug, "--api-key-env", "K", "--base-url", self.url, env={"K": key}, check=False)
        if done.returncode:
            self.gw.cli("import", "--since", self.days.text(-20), check=False)
        wait_until("the bill is imported", 40, lambda: " imported " in self.gw.cli("import", "status").stdout)
