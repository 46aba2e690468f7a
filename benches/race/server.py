"""Our side of a race: a built `tributary` in a process of its own, asked through the PostgreSQL wire."""

import contextlib
import os
import re
import subprocess
import tempfile
import threading

import machine

START_SECONDS = 60
STOP_SECONDS = 10
LISTENING = re.compile(r"127\.0\.0\.1:([1-9]\d*)")


class ServerFailed(Exception):
    """The server did not come up or refused the question; the message says what it said."""


def version(binary):
    """What the binary says it is."""
    done = subprocess.run([os.path.abspath(binary), "--version"], capture_output=True, text=True)
    if done.returncode != 0:
        raise ServerFailed(f"{binary} --version failed: {done.stderr}")
    return done.stdout.strip()


@contextlib.contextmanager
def serving(binary, lake, cpus, extra_args=()):
    """A server over the tables of folder `lake`, on the given cores only, with one connection to it."""
    import psycopg  # here, so that the peers' processes need no client library
    command = [os.path.abspath(binary), "serve", "--lake", f"race={os.path.abspath(lake)}",
               "--listen", "127.0.0.1:0", *extra_args]
    with tempfile.TemporaryDirectory() as scratch:
        process = subprocess.Popen(
            command, cwd=scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        try:
            yield Server(process)
        except psycopg.Error as error:
            raise ServerFailed(f"the server refused: {error}") from error
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Server:
    """One running server. Its idle memory is taken before the first question."""

    def __init__(self, process):
        import psycopg
        self.process = process
        self.printed = []
        self.port = self._wait_for_port()
        self.connection = psycopg.connect(host="127.0.0.1", port=self.port, user="race", dbname="tributary",
                                          sslmode="disable", autocommit=True)
        self.idle_mb = machine.memory_mb(process.pid, "VmRSS")

    def ask(self, sql):
        """Rows of the answer, and what it cost the server from sending the text to the last row fetched."""
        return machine.measured(self.process.pid, lambda: self.connection.execute(sql).fetchall())

    def peak_mb(self):
        return machine.memory_mb(self.process.pid, "VmHWM")

    def _wait_for_port(self):
        """The port from the first line that names one; the output is read to its end by a thread."""
        found, port = threading.Event(), []

        def read():
            for line in self.process.stdout:
                self.printed = [*self.printed[-19:], line]
                if not port and (match := LISTENING.search(line)):
                    port.append(int(match[1]))
                    found.set()
            found.set()

        threading.Thread(target=read, daemon=True).start()
        ended = found.wait(START_SECONDS)
        if not port:
            what = "ended" if ended else f"named no port within {START_SECONDS} s"
            raise ServerFailed(f"the server {what}; it printed:\n" + "".join(self.printed))
        return port[0]
