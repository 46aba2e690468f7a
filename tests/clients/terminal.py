"""psql as a person sees it, on a terminal: prompts, tab completion, Ctrl-C. Run by run.sh; standard library only."""

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

from checks import check, contains, run

SLOW = "select sum(a.value * b.value) from generate_series(1, 100000000) as a(value), generate_series(1, 1000) as b(value);"


class Terminal:
    """psql behind a pseudo-terminal."""

    def __init__(self):
        self.master, slave = pty.openpty()
        environment = dict(os.environ, TERM="dumb", COLUMNS="200", LINES="50", INPUTRC="/dev/null")
        # A new session whose terminal this is, so that Ctrl-C becomes a signal to psql.
        self.process = subprocess.Popen(
            ["psql", "-X"], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.read_until("=# ")

    def read_until(self, fragment, seconds=10):
        """What is printed up to a fragment."""
        text, deadline = "", time.monotonic() + seconds
        while fragment not in text:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"waited {seconds} s for {fragment!r}, got {text!r}")
            try:
                data = os.read(self.master, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"psql ended before {fragment!r}, got {text!r}")
            text += re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]|\x07", "", data.decode(errors="replace"))
        return text

    def type(self, text):
        os.write(self.master, text.encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@check
def the_prompt_tells_the_state_of_the_transaction():
    with Terminal() as psql:
        psql.type("begin;\n")
        psql.read_until("tributary=*# ")
        psql.type("select 1 / 0;\n")
        psql.read_until("tributary=!# ")
        psql.type("rollback;\n")
        psql.read_until("tributary=# ")


@check
def ctrl_c_stops_the_statement_and_the_connection_lives():
    with Terminal() as psql:
        psql.type(SLOW + "\n")
        psql.read_until("b(value);")
        time.sleep(1)
        started = time.monotonic()
        psql.type("\x03")
        contains(psql.read_until("=# ", 5), "canceling statement due to user request")
        assert time.monotonic() - started < 2, "cancel took more than two seconds"
        psql.type("select 40 + 2 as answer;\n")
        psql.read_until("42")


@check
def tab_completes_the_name_of_a_table():
    with Terminal() as psql:
        psql.type("select * from eve\t")
        psql.read_until("select * from events")
        psql.type("where event = 'call';\n")
        psql.read_until("(1 row)")


@check
def tab_completes_the_name_of_a_column():
    with Terminal() as psql:
        psql.type("select * from events where reve\t")
        psql.read_until("where revenue")


@check
def tab_completes_a_schema_and_its_table():
    with Terminal() as psql:
        psql.type("select * from lake.ad_s\t")
        psql.read_until("lake.ad_spend")


@check
def tab_completes_after_backslash_d():
    with Terminal() as psql:
        psql.type("\\d eve\t")
        psql.read_until("\\d events")


@check
def tab_completes_functions_after_backslash_df():
    with Terminal() as psql:
        psql.type("\\df funnel_du\t")
        psql.read_until("\\df funnel_durations")


@check
def tab_completes_settings():
    with Terminal() as psql:
        psql.type("set statement_t\t")
        psql.read_until("set statement_timeout")


@check
def tab_completes_in_a_failed_transaction_without_harm():
    with Terminal() as psql:
        psql.type("begin;\n")
        psql.read_until("=*# ")
        psql.type("select * from nowhere;\n")
        psql.read_until("=!# ")
        psql.type("select * from eve\t\t")
        psql.read_until("select * from eve")
        psql.type("\x15rollback;\n")
        psql.read_until("tributary=# ")


@check
def a_client_that_is_killed_leaves_a_server_that_answers():
    with Terminal() as psql:
        psql.type(SLOW + "\n")
        psql.read_until("b(value);")
        time.sleep(0.5)
        psql.process.send_signal(signal.SIGKILL)
    with Terminal() as psql:
        psql.type("select 40 + 2 as answer;\n")
        psql.read_until("42")


run()
