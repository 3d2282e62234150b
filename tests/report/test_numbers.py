"""Numbers in words: to four digits in tables, to their uncertainty in prose."""

import numpy as np
import pytest

from jaxae.findings import measured
from jaxae.report import numbers


def test_numbers():
    expected = {
        0.49881607: "0.4988", 0.499: "0.4990", 24.4: "24.40", 123.0: "123.0", 9999.4: "9999", 9999.6: "10,000",
        468368.2: "468,368", -0.01234567: "-0.01235", 1.2345e-6: "1.234e-06", 0.0: "0", 2.5e12: "2.500e+12",
        float("nan"): "—", float("inf"): "∞",
    }  # fmt: skip
    assert {value: numbers.number(value) for value in expected} == expected
    assert numbers.number(None) == "—"
    one, three = measured("a", "m", [0.5]), measured("a", "m", [1.0, 2.0, 3.0])
    assert (numbers.reproduced(one), numbers.of_lone([one, one])) == ("0.5000", "One seed: no intervals.")
    assert (numbers.of_lone([one, three]), numbers.of_lone([three])) == ("Where n is 1 there is no interval.", "")
    counts = [measured("a", "seeds", values) for values in ([2.0], [2.0, 3.0], [12_000.0] * 4, [2.0, 2.5])]
    assert [numbers.reproduced(count) for count in counts] == ["2", "2 and 3", "12,000", "2.000 and 2.500"]
    assert numbers.of_lone(counts) == ""
    assert numbers.reproduced(three) == "2.0 ± 2.5"  # t = 4.303, deviation 1, root of 3
    assert numbers.reproduced(measured("a", "m", [26.1593, 26.1600, 26.1606])) == "26.1600 ± 0.0016"
    assert numbers.reproduced(measured("a", "m", [])) == "—"
    assert numbers.reproduced(measured("a", "m", [0.25, 0.5])) == "0.2500 and 0.5000"  # two are given one by one
    loss = measured("a", "m", [0.4634, 0.4840, 0.5055], scale="log")
    assert numbers.reproduced(loss) == "0.48 (0.43 to 0.54)"  # exp of a half-width of 0.108
    assert numbers.reproduced(measured("a", "m", [7.5, 7.5])) == "7.500"
    assert numbers.reproduced(measured("a", "m", [74497.0] * 2, exact=True)) == "74,497"
    for reported, exact, shown in ((24.48, False, "24.48"), (0.49881608, False, "0.498816"), (74497.0, True, "74,497")):
        assert numbers.printed(measured("a", "m", [], reported=reported, exact=exact)) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1.0, 2.0, 3.0], "2.0 ± 2.5"),
        ([62.1, 80.3, 46.2], "60 ± 40"),
        ([0.49871, 0.49884, 0.49892], "0.49882 ± 0.00026"),
        ([12_100.0, 12_900.0, 12_400.0], "12,500 ± 1,000"),
        ([-0.001, 0.001, 0.0005], "0.0002 ± 0.0026"),
        ([2e-7, 2.1e-7, 2.3e-7], "2.1e-07 ± 4e-08"),
        ([0.1174708, 0.1174711, 0.1174714], "0.1174711 ± 7e-07"),
        ([5.0, 5.0], "5"),
        ([19.02], "19"),
        ([70.81, 63.04], "70.81 and 63.04"),
        ([np.nan, 1.0], "—"),
        ([np.inf, 1.0], "∞ in 1 of 2 seeds"),
        ([np.inf, np.inf], "∞"),
    ],
)
def test_numbers_are_rounded_to_their_uncertainty(values, shown):
    assert numbers.rounded(values) == shown
    if not np.isfinite(values).all():
        assert numbers.over_seeds(values) == shown


def test_percents_lists_and_signs():
    assert numbers.percent([3.1, 9.6, 1.2]) == "(5 ± 11) %"
    assert numbers.percent(19.0) == "19%"
    assert numbers.by_seed([70.81, 63.04, 54.69]) == "70.8, 63 and 54.7"
    assert numbers.by_seed([3.0, 1.0, 2.0, 5.0, 4.0, 6.0]) == "1 to 6"
    assert [numbers.listed(words) for words in ((), ("a",), ("a", "b"), ("a", "b", "c"))] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert (numbers.signed(-0.04, 1), numbers.plural(1, "seed"), numbers.plural(2, "seed")) == (
        "-0.0",
        "1 seed",
        "2 seeds",
    )
