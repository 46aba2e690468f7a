"""A PostgreSQL of one's own: the newest that Debian has, in a temporary folder, ended with the block that uses it."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


@contextlib.contextmanager
def postgres(**settings):
    """The folder of its socket, where user and database postgres need no password; in it is nothing yet.

    Settings are as in postgresql.conf. It listens on no port unless they say so.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if not programs:
        sys.exit("PostgreSQL is missing: apt-get install postgresql")
    programs = programs[-1]
    folder = Path(tempfile.mkdtemp(prefix="tributary-postgres-"))
    # PostgreSQL does not run as root.
    who = ["runuser", "--user", "postgres", "--"] if os.geteuid() == 0 else []
    if who:
        shutil.chown(folder, "postgres")

    def run(program, *arguments):
        subprocess.run([*who, programs / program, *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    data = folder / "data"
    run("initdb", "--pgdata", data, "--username", "postgres", "--encoding", "UTF8", "--locale", "C.UTF-8", "--auth", "trust", "--no-sync")
    settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "timezone": "UTC", **settings}
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    run("pg_ctl", "--pgdata", data, "--wait", "--log", folder / "log", "--options", options, "start")
    try:
        yield folder
    finally:
        run("pg_ctl", "--pgdata", data, "--mode", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
