"""Every documented statement parses in PostgreSQL's own grammar and in sqlglot, and the README's run. Run by run.sh.

Tools parse, limit and print SQL again before a server sees it: what they cannot read, people cannot use.
"""

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pglast
import psycopg
import sqlglot
from sqlglot import exp

from checks import check, run

# It tells of statements that it does not take apart, such as RESET; that is no failure.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

ROOT = Path(__file__).resolve().parents[2]
# PostgreSQL has none: the statement is ours alone, and DataFusion's.
OURS_ALONE = "CREATE EXTERNAL TABLE"


@dataclass
class Statement:
    """One statement of the documentation and where it stands."""

    place: str
    text: str

    @property
    def is_ours_alone(self):
        return self.text.upper().startswith(OURS_ALONE)


def documents():
    """Markdown and SQL files that a clone has, ours and not a build's."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "target")
        yield from (Path(folder, name) for name in sorted(files) if name.endswith((".md", ".sql")))


def statements_of(path):
    """The statements of ```sql blocks, of the quick start's ```sh block, or of a whole .sql file."""
    text = path.read_text()
    place = str(path.relative_to(ROOT))
    if path.suffix == ".sql":
        blocks = [] if place.startswith(("testdata", "tests", "udfs")) else [text]
    else:
        blocks = re.findall(r"^```sql\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for shell in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            blocks += re.findall(r"^SELECT .*;$", shell, re.MULTILINE)
    for block in blocks:
        for statement in pglast.split(block, with_parser=False):
            yield Statement(place, strip_comments(statement))


def strip_comments(text):
    """The statement without the lines before it that only say what it answers."""
    lines = text.strip().splitlines()
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("--")):
        lines.pop(0)
    return "\n".join(lines).strip()


STATEMENTS = [s for path in documents() for s in statements_of(path) if s.text]


def each(statements, action):
    """Does it for every statement and tells all that fail."""
    wrong = []
    for statement in statements:
        try:
            action(statement)
        except Exception as error:
            wrong.append(f"{statement.place}: {type(error).__name__}: {error}\n    {statement.text[:200]}")
    if wrong:
        raise AssertionError("\n  ".join([f"{len(wrong)} of {len(statements)}", *wrong]))


FOREIGN = [s for s in STATEMENTS if not s.is_ours_alone]


@check
def there_are_statements_to_check():
    places = {s.place for s in STATEMENTS}
    for expected in ["README.md", "udfs/FUNCTIONS.md", "udfs/src/funnel/semantics.md", "sql/plain/funnel.sql"]:
        assert expected in places, f"no statement found in {expected}; found in {sorted(places)}"


@check
def every_statement_parses_in_the_grammar_of_postgresql():
    each(FOREIGN, lambda s: pglast.parse_sql(s.text))


def parse_with_sqlglot(text):
    [parsed] = sqlglot.parse(text, read="postgres", error_level=sqlglot.ErrorLevel.RAISE)
    return parsed


@check
def every_statement_parses_in_sqlglot():
    def action(statement):
        parsed = parse_with_sqlglot(statement.text)
        # A Command is text that was not understood; SET and the like always are.
        is_query = statement.text.lstrip("( \n").upper().startswith(("SELECT", "WITH", "CREATE VIEW"))
        assert not (is_query and isinstance(parsed, exp.Command)), "not understood"

    each(FOREIGN, action)


@check
def what_sqlglot_prints_again_parses_in_postgresql():
    def action(statement):
        parsed = parse_with_sqlglot(statement.text)
        if not isinstance(parsed, exp.Command):
            pglast.parse_sql(parsed.sql(dialect="postgres"))

    each(FOREIGN, action)


def execute(connection, text):
    """The rows of a statement; no rows for one that has none."""
    cursor = connection.execute(text)
    return cursor.fetchall() if cursor.description else []


@check
def the_statements_of_the_readme_run():
    lake = os.environ["LAKE"]

    def action(statement):
        text = statement.text
        if statement.is_ours_alone:
            # The README's folder is somebody else's; ours has a file to point at.
            text = text.replace("'/data/archive/events/'", f"'{lake}/types.parquet'").replace("(user_id, event_time)", "(row_id)")
        execute(connection, text)

    # External tables last: the others must not need them.
    readme = [s for s in STATEMENTS if s.place == "README.md"]
    with psycopg.connect(autocommit=True) as connection:
        each([s for s in readme if not s.is_ours_alone], action)
        each([s for s in readme if s.is_ours_alone], action)
        connection.execute("drop view buyers")
        connection.execute("drop table archive")


@check
def examples_of_functions_answer_the_same_after_sqlglot_printed_them():
    def action(statement):
        parsed = parse_with_sqlglot(statement.text)
        written = execute(connection, statement.text)
        printed = execute(connection, parsed.sql(dialect="postgres"))
        assert written == printed, f"{written} became {printed}"

    with psycopg.connect(autocommit=True) as connection:
        each([s for s in STATEMENTS if s.place == "udfs/FUNCTIONS.md"], action)


run()
