"""The picture that `make bench BENCH=landing` leaves beside its figures."""

from pathlib import Path

from matplotlib.image import imread

from benchmarks.landing import SHOWN
from benchmarks.landing_plot import costs, save


def figures(ours: float, plain: float) -> dict[str, object]:
    return {
        "runs": 5,
        "cpu_us_per_event": ours,
        "ours_cpu_us_per_event": ours,
        "spark_plain_cpu_us_per_event": plain,
    }


def test_each_way_that_was_measured_has_a_curve_over_metrics() -> None:
    by_metrics = {"1": figures(5.0, 11.0), "6": figures(9.5, 19.5)}
    assert costs(by_metrics, SHOWN) == {
        "ours": {1: 5.0, 6: 9.5},
        "stock spark plain": {1: 11.0, 6: 19.5},
    }


def test_picture_is_drawn_of_one_point_and_of_several(tmp_path: Path) -> None:
    for name, counts in (("one", ["6"]), ("three", ["1", "6", "50"])):
        path = tmp_path / f"{name}.png"
        save({count: figures(9.5, 19.5) for count in counts}, SHOWN, path)
        assert imread(path).std() > 0, "there is something on it"
