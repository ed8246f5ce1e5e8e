"""What pip is told about mirrors reaches uv."""

from infra.install.mirror import parse_pip_settings, uv_variables


def test_environment_wins_over_files() -> None:
    listing = "\n".join(
        [
            ":env:.index-url='http://environment.example/simple'",
            "global.index-url='http://file.example/simple'",
            "global.cert='/etc/company.pem'",
        ]
    )

    assert parse_pip_settings(listing) == {
        "index-url": "http://environment.example/simple",
        "cert": "/etc/company.pem",
    }


def test_mirror_and_certificate_are_passed_on() -> None:
    variables = uv_variables(
        {"index-url": "http://mirror.example/simple", "cert": "/etc/company.pem"}, {}
    )

    assert variables["UV_DEFAULT_INDEX"] == "http://mirror.example/simple"
    assert variables["SSL_CERT_FILE"] == "/etc/company.pem"


def test_what_uv_is_told_already_stays() -> None:
    variables = uv_variables(
        {"index-url": "http://mirror.example/simple"}, {"UV_DEFAULT_INDEX": "http://other.example"}
    )

    assert "UV_DEFAULT_INDEX" not in variables


def test_folders_of_wheels_become_a_list_with_commas() -> None:
    variables = uv_variables({"find-links": "/opt/wheels\n/srv/wheels"}, {})

    assert variables["UV_FIND_LINKS"] == "/opt/wheels,/srv/wheels"


def test_extra_index_is_equal_to_the_first_as_it_is_for_pip() -> None:
    variables = uv_variables({"extra-index-url": "http://extra.example/simple"}, {})

    assert variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_packages_are_compiled_where_python_may_not_keep_what_it_compiles() -> None:
    assert uv_variables({}, {"PYTHONDONTWRITEBYTECODE": "1"})["UV_COMPILE_BYTECODE"] == "true"
    assert "UV_COMPILE_BYTECODE" not in uv_variables({}, {})
