"""Who may do what in Superset: roles of viewers and editors, and the first people."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from superset import security_manager
from superset.extensions import db

VIEWER, EDITOR = "Viewer", "Editor"
LOOKING = frozenset(
    {
        "can_csv",
        "can_dashboard",
        "can_dashboard_permalink",
        "can_drill",
        "can_explore_json",
        "can_get",
        "can_get_drill_info",
        "can_language_pack",
        "can_log",
        "can_query",
        "can_query_form_data",
        "can_read",
        "can_recent_activity",
        "can_share_dashboard",
        "can_slice",
        "can_this_form_get",
        "can_this_form_post",
        "can_time_range",
        "can_userinfo",
        "can_view_chart_as_table",
        "can_view_query",
        "resetmypassword",
    }
)
"""Verbs of Superset's role Gamma that change nothing but one's own password."""
KEPT_WHILE_LOOKING = frozenset(
    {
        ("can_write", "CurrentUserRestApi"),
        ("can_write", "DashboardFilterStateRestApi"),
        ("can_write", "DashboardPermalinkRestApi"),
        ("can_write", "ExploreFormDataRestApi"),
    }
)
"""What a dashboard writes for its viewer: the state of filters and links to it."""
VIEWER_MENUS = frozenset({"Dashboards", "Home"})
NOT_FOR_EDITORS = frozenset({("can_upload", "Database")})
ALL_DATA = ("all_datasource_access", "all_datasource_access")

Permission = Any
"""A row of Flask-AppBuilder's, which ships no types: a verb on a thing."""


def make_roles() -> None:
    """Make the roles from Superset's own: viewers look, editors change dashboards and ask SQL."""
    _make(VIEWER, ("Gamma",), _is_for_viewers)
    _make(EDITOR, ("Alpha", "sql_lab"), lambda named: named not in NOT_FOR_EDITORS)
    db.session.commit()


def make_people(logins: Mapping[str, str], *, reset: bool) -> None:
    """Make whoever is not there yet; with `reset`, give all the passwords of `logins`."""
    roles = {"admin": "Admin", "editor": EDITOR, "viewer": VIEWER}
    for name, password in logins.items():
        found = security_manager.find_user(username=name)
        if found is None:
            mail, role = f"{name}@headwater.invalid", security_manager.find_role(roles[name])
            made = security_manager.add_user(name, name, "Headwater", mail, role, password)
            if not made:
                raise RuntimeError(f"Superset did not make the user {name}")
        elif reset:
            security_manager.reset_password(found.id, password)


def parse_logins(text: str) -> dict[str, str]:
    """Return passwords by name."""
    found: dict[str, str] = json.loads(text)
    return found


def _make(name: str, like: Iterable[str], belongs: Callable[[tuple[str, str]], bool]) -> None:
    role = security_manager.find_role(name) or security_manager.add_role(name)
    of_others = [each for other in like for each in security_manager.find_role(other).permissions]
    wanted = {each.id: each for each in of_others if belongs(_named(each))}
    data = security_manager.find_permission_view_menu(*ALL_DATA)
    role.permissions = list(({**wanted, data.id: data}).values())


def _is_for_viewers(named: tuple[str, str]) -> bool:
    verb, thing = named
    if verb == "menu_access":
        return thing in VIEWER_MENUS
    return verb in LOOKING or named in KEPT_WHILE_LOOKING


def _named(permission: Permission) -> tuple[str, str]:
    return permission.permission.name, permission.view_menu.name
