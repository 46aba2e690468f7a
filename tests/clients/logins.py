"""Passwords and encryption as libpq does them: psycopg and psql against a server of its own with users and TLS."""

import os
import subprocess
import tempfile
from pathlib import Path

import psycopg
from checks import check, contains, equal, run

HERE = Path(__file__).resolve().parent
TLS = HERE.parent.parent / "testdata" / "tls"
BINARY = os.environ["TRIBUTARY"]

work = tempfile.TemporaryDirectory()
folder = Path(work.name)


def user(name, password, *arguments):
    made = subprocess.run([BINARY, "user", name, *arguments], input=password + "\n", capture_output=True, text=True, check=True)
    return made.stdout


key = folder / "server.key"
key.write_bytes((TLS / "server.key").read_bytes())
key.chmod(0o600)
(folder / "lake").mkdir()
(folder / "lake" / "people.csv").write_text("name\nAna\n")
(folder / "tributary.toml").write_text(
    f"tls_certificate = '{TLS / 'server.crt'}'\ntls_key = '{key}'\nrequire_tls = true\n"
    # A password that SASLprep changes, and one that it cannot prepare.
    + user("ana", "oolong", "--superuser") + user("bo", "\u2168 tea") + user("李", "bell\u0007 tea"))
log = open(folder / "log", "w")
server = subprocess.Popen(
    [BINARY, "serve", "--lake", folder / "lake", "--listen", "127.0.0.1:0", "--config", folder / "tributary.toml"],
    stdout=subprocess.PIPE, stderr=log, text=True)
PORT = next(int(line.rsplit(":", 1)[1]) for line in server.stdout if line.startswith("listening on"))


def connect(name="ana", password="oolong", **options):
    options = {"sslmode": "verify-full", "sslrootcert": str(TLS / "ca.crt"), **options}
    return psycopg.connect(host="localhost", hostaddr="127.0.0.1", port=PORT, dbname="tributary", user=name, password=password, **options)


def refusal(*arguments, **options):
    try:
        connect(*arguments, **options).close()
    except psycopg.OperationalError as error:
        return str(error)
    raise AssertionError("the client was let in")


@check
def a_password_over_a_verified_channel_lets_in():
    with connect() as connection:
        equal(connection.execute("SELECT current_user").fetchone(), ("ana",))
        equal(connection.info.parameter_status("is_superuser"), "on")


@check
def a_login_may_be_bound_to_its_channel():
    connect(channel_binding="require").close()
    connect(channel_binding="disable").close()


@check
def names_and_passwords_may_be_any_text():
    connect("bo", "IX tea").close()
    connect("李", "bell\u0007 tea").close()


@check
def a_wrong_password_and_a_stranger_read_alike():
    contains(refusal("ana", "sencha"), 'password authentication failed for user "ana"')
    contains(refusal("eve", "oolong"), 'password authentication failed for user "eve"')


@check
def what_is_not_encrypted_is_refused():
    contains(refusal(sslmode="disable"), "encrypted connections only")


@check
def psql_asks_and_is_let_in():
    environment = {**os.environ, "PGPASSWORD": "oolong", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(TLS / "ca.crt")}
    ran = subprocess.run(
        ["psql", "-X", "-h", "localhost", "-p", str(PORT), "-U", "ana", "-c", "\\conninfo", "-c", "SELECT * FROM lake.people", "tributary"],
        capture_output=True, text=True, env=environment)
    contains(ran.stdout + ran.stderr, "SSL connection (protocol: TLSv1.3")
    contains(ran.stdout, "Ana")


@check
def no_password_is_in_the_log():
    text = (folder / "log").read_text()
    assert "oolong" not in text and "sencha" not in text, text


try:
    run()
finally:
    server.terminate()
    code = server.wait(20)
    log.close()
    work.cleanup()
    assert code == 0, f"the server ended with {code}"
