"""Rights in Superset that another process changes: seen within seconds, asked for seldom."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from infra.superset.inside.rights import CHANGED, LINKS, LOOK_S, Rights


class Own:
    """Superset's own database, and how often it was asked."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.asked = 0
        self.now_s = 0.0

    def ask(self, statement: str) -> list[object]:
        """Return what a statement finds."""
        self.asked += 1
        return self.database.execute(statement).fetchall()


@pytest.fixture
def own() -> Iterator[Own]:
    with closing(sqlite3.connect(":memory:")) as database:
        for table, (one, other) in LINKS.items():
            database.execute(f"create table {table} (id integer primary key, {one}, {other})")
            database.execute(f"insert into {table} ({one}, {other}) values (1, 2), (3, 4)")
        for table in CHANGED:
            database.execute(f"create table {table} (id integer primary key, changed_on text)")
        yield Own(database)


@pytest.fixture
def rights(own: Own) -> Rights:
    found = Rights(own.ask, lambda: own.now_s)
    assert found.have_changed()  # of what was before the first look nothing is known
    return found


@pytest.mark.parametrize(
    "change",
    [
        "update ab_user_role set role_id = 4 where user_id = 1",
        "delete from ab_user_role where user_id = 3",
        "insert into ab_permission_view_role (permission_view_id, role_id) values (9, 2)",
        "insert into rls_filter_roles (role_id, rls_filter_id) values (2, 7)",
        "insert into row_level_security_filters (changed_on) values ('2026-11-21 08:00:00')",
    ],
)
def test_what_another_process_changes_is_seen_within_seconds(
    own: Own, rights: Rights, change: str
) -> None:
    own.database.execute(change)
    own.now_s += LOOK_S
    assert rights.have_changed()
    own.now_s += LOOK_S
    assert not rights.have_changed()
    assert LOOK_S <= 5


def test_two_who_take_each_others_role_are_a_change(own: Own, rights: Rights) -> None:
    own.database.execute("update ab_user_role set role_id = 6 - role_id")
    own.now_s += LOOK_S
    assert rights.have_changed()


def test_many_who_ask_cost_one_look(own: Own, rights: Rights) -> None:
    asked = own.asked
    for _ in range(100):
        own.now_s += LOOK_S / 200
        assert not rights.have_changed()
    assert own.asked == asked
