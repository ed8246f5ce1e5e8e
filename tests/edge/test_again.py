"""Waits before another attempt."""

from edge.again import FIRST_S, LEAST_SHARE, MOST_S, Again


def test_waits_grow_within_their_bounds_until_an_attempt_goes_well() -> None:
    again, longest_s = Again(), FIRST_S
    for _ in range(10):
        assert LEAST_SHARE * longest_s <= again.next_s() <= longest_s
        longest_s = min(longest_s * 2, MOST_S)
    assert longest_s == MOST_S

    again.reset()

    assert again.next_s() <= FIRST_S


def test_no_two_of_a_thousand_devices_wait_as_long() -> None:
    waits_s = sorted(Again().next_s() for _ in range(1_000))

    assert len(set(waits_s)) > 990
    assert waits_s[-1] - waits_s[0] > FIRST_S / 2
