"""The signed password, byte for byte as other people's SDKs form it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.credentials import (
    SDK_TIMESTAMP_MS,
    CredentialError,
    Profile,
    SignedLogin,
    is_signed,
    read_login,
    sign,
    signed_by,
    signed_client_id,
    time_complaint,
    user_name,
)

NOW_MS = 1_764_000_000_000
VECTOR = "6074A46A91B1EBB2CC4EA42790AD0E80202C9843859FC292E57C4EB19FAD9E57"

names = st.text(st.characters(codec="utf-8", exclude_characters="|&,="), min_size=1, max_size=20)
secrets = st.binary(min_size=1, max_size=64)


def test_check_vector_of_the_sdk() -> None:
    made = sign(b"secret", client_id="12345", device="device", product="pk", timestamp="789")

    assert made == VECTOR


@pytest.mark.parametrize("password", [VECTOR, VECTOR.lower()])
@pytest.mark.parametrize(
    "pairs",
    [
        "securemode=2,signmethod=hmacsha256,timestamp=789",
        "timestamp=789,signmethod=hmacsha256,securemode=2",
        "timestamp=789,_v=c-sdk,signmethod=HmacSha256,ext=1",
        "timestamp=789",
        "SecureMode=2,SIGNMETHOD=HMACSHA256,TimeStamp=789,",
    ],
)
def test_pairs_in_any_order_and_hex_in_either_case_are_taken(password: str, pairs: str) -> None:
    login = read_login(f"12345|{pairs}|", "device&pk", password)

    assert login.method == "hmacsha256"
    assert signed_by(login, [b"other", b"secret"])


def test_time_is_signed_only_if_it_was_sent() -> None:
    password = sign(b"secret", client_id="1", device="d", product="p")

    assert signed_by(read_login("1|securemode=3|", "d&p", password), [b"secret"])
    assert not signed_by(read_login("1|timestamp=5|", "d&p", password), [b"secret"])


@given(names, names, names, secrets, st.none() | st.integers(0, 10**14).map(str))
def test_what_was_signed_verifies_and_nothing_else(
    client_id: str, device: str, product: str, secret: bytes, timestamp: str | None
) -> None:
    password = sign(
        secret, client_id=client_id, device=device, product=product, timestamp=timestamp
    )
    login = read_login(signed_client_id(client_id, timestamp), user_name(device, product), password)

    assert login == SignedLogin(client_id, device, product, timestamp, "hmacsha256", password)
    assert signed_by(login, [secret])
    assert not signed_by(login, [secret + b"\1"])
    assert not signed_by(login._replace(device=device + "x"), [secret])
    assert not signed_by(login, [])


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_the_reading(client_id: str, username: str, password: str) -> None:
    try:
        login = read_login(client_id, username, password)
    except CredentialError:
        return
    assert is_signed(client_id)
    assert not signed_by(login, [b"secret"])


@pytest.mark.parametrize(
    "text", ["a", "a|b", "a|b|c", "a|x|", "a|x=1,x=2|", "a|timestamp=1,TIMESTAMP=1|"]
)
def test_other_client_ids_are_refused(text: str) -> None:
    with pytest.raises(CredentialError):
        read_login(text, "d&p", "00")


@pytest.mark.parametrize("username", ["", "d", "&p", "d&"])
def test_other_user_names_are_refused(username: str) -> None:
    with pytest.raises(CredentialError):
        read_login("a|timestamp=1|", username, "00")


MINUTES_MS = 60_000


@pytest.mark.parametrize(
    ("timestamp", "profile", "is_tls", "is_fine"),
    [
        (str(NOW_MS), "strict", False, True),
        (str(NOW_MS - 15 * MINUTES_MS), "strict", False, True),
        (str(NOW_MS + 15 * MINUTES_MS + 1), "strict", True, False),
        (str(SDK_TIMESTAMP_MS), "strict", True, False),
        (str(SDK_TIMESTAMP_MS), "compatible", True, True),
        (str(SDK_TIMESTAMP_MS), "compatible", False, False),
        ("789", "compatible", True, False),
        (None, "strict", True, False),
        (None, "compatible", True, True),
        (None, "compatible", False, False),
        ("soon", "compatible", True, False),
        ("٣", "compatible", True, False),
        ("9" * 16, "strict", True, False),
    ],
)
def test_signed_time_is_believed_by_profile(
    timestamp: str | None, profile: Profile, is_tls: bool, is_fine: bool
) -> None:
    complaint = time_complaint(timestamp, now_ms=NOW_MS, profile=profile, is_tls=is_tls)

    assert (complaint is None) is is_fine
