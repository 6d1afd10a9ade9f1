"""What papers report beside what runs found: means, differences seed by seed, and when chance explains them."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from luss_core.report import cacl_paper
from luss_core.report.papers import judge, spread, stated, step, told

REPORTED = {"R18": {"mIoU": {"a": 30.0, "b": 33.0}}, "R50": {"mIoU": {"a": 40.0, "b": 41.5, "c": 9.0}}}


def frame(values: dict[str, list[float | None]]) -> pd.DataFrame:
    """Row -> its value of seed 0, 1, ..."""
    lines = [(row, "mIoU", seed, value) for row, found in values.items() for seed, value in enumerate(found)]
    return pd.DataFrame(lines, columns=["row", "column", "seed", "value"]).astype({"value": "float64"})


def test_mean_and_deviation_are_over_the_seeds_that_there_are():
    found = spread(frame({"b": [1, 2, 6], "a": [5, None]}), ["a", "b", "c"], ["mAcc", "mIoU"])
    assert list(found.mean.index) == ["a", "b", "c"]
    assert found.mean["mIoU"].tolist()[:2] == [5, 3]
    assert found.std.loc["b", "mIoU"] == pytest.approx(np.std([1, 2, 6], ddof=1))
    assert math.isnan(found.std.loc["a", "mIoU"])
    assert found.seeds["mIoU"].tolist() == [1, 3, 0]
    assert found.mean.loc["c"].isna().all()
    assert found.mean["mAcc"].isna().all()


def test_a_difference_is_of_the_seeds_that_both_have():
    found = step(frame({"a": [10, 20, 30], "b": [11, 22, None]}), "a", "b", "mIoU", REPORTED)
    assert (found.mean, found.seeds) == (1.5, 2)
    assert found.std == pytest.approx(np.std([1, 2], ddof=1))
    assert found.paper == {"R18": 3.0, "R50": 1.5}
    nothing = step(frame({"a": [10], "b": [None, 3]}), "a", "b", "mIoU", REPORTED)
    assert (nothing.mean, nothing.std, nothing.seeds, nothing.verdict) == (None, None, 0, "open")


def test_chance_is_judged_as_by_a_paired_t_test():
    rng = np.random.default_rng(0)
    verdicts = set()
    for _ in range(50):
        values = rng.normal(1, 1, 4)
        significant = stats.ttest_1samp(values, 0).pvalue < 0.05
        verdict = judge(values.mean(), values.std(ddof=1), 4, [])
        assert verdict == (("higher" if values.mean() > 0 else "lower") if significant else "open")
        verdicts.add(verdict)
    assert verdicts == {"higher", "open"}
    assert judge(5.0, math.nan, 1, [1]) == "open"
    assert judge(2.5, 1, 3, [3.0, 1.0]) == "as the paper"
    assert judge(2.4, 1, 3, [3.0, 1.0]) == "open"
    assert judge(-2.5, 1, 3, [3.0, 1.0]) == "against the paper"
    assert judge(-2.5, 1, 3, [3.0, -1.0]) == "lower"
    assert judge(1.0, 0, 2, [1.0]) == "as the paper"
    assert judge(0.0, 0, 2, [1.0]) == "open"


def test_what_is_seen_is_told():
    values = frame({"a": [10, 20, 30], "b": [13, 23.1, 32.9], "c": [1, 9, 2], "d": [11, 21.1, 31]})
    pairs = (("a", "b"), ("b", "c"), ("c", "a"), ("a", "d"), ("b", "d"))
    steps = [step(values, *pair, "mIoU", REPORTED) for pair in pairs]
    assert [s.verdict for s in steps] == ["as the paper", "open", "open", "higher", "lower"]
    assert told(steps) == (
        "Differences in the paper: 3. Here as there 1, the other way 0, may be chance 2 (3 seeds). Differences that the"
        " paper does not have: 2, of which 2 can be told from chance."
    )
    assert told(steps[:1]) == (
        "Differences in the paper: 1. Here as there 1, the other way 0, may be chance 0 (3 seeds)."
    )
    one = [step(frame({"a": [10], "b": [12]}), "a", "b", "mIoU", REPORTED)]
    assert told(one) == "One seed: chance cannot be told from what the rows do."


def test_a_cell_of_a_paper_has_what_each_source_says():
    assert stated(REPORTED, "mIoU", "c") == {"R50": 9.0}
    assert stated(REPORTED, "mAcc", "a") == {}


def test_the_tables_of_the_cacl_paper():
    """A number of each, and what the text says: CACL is 4.5 above MoCo v2, the cycle adds 2.6 in the mean."""
    assert stated(cacl_paper.REPORTED["1a"], "mIoU", "two-heads") == {"R18": 35.9, "R50": 46.1}
    assert stated(cacl_paper.REPORTED["2"], "mAcc", "cacl") == {"R18": 45.7, "R50": 57.4}
    for table in ("2", "3"):
        r50 = cacl_paper.REPORTED[table]["R50"]["mIoU"]
        assert r50["cacl"] - r50["moco"] == pytest.approx(4.5)
    heads = cacl_paper.REPORTED["1a"]
    added = [heads[source]["mIoU"]["cacl"] - heads[source]["mIoU"]["two-heads"] for source in ("R18", "R50")]
    assert np.mean(added) == pytest.approx(2.6, abs=0.06)
    few = cacl_paper.REPORTED["4"]["R18"]
    gains = [round(few[column]["cacl"] - few[column]["moco"], 1) for column in few]
    assert gains == [9.5, 8.1, 5.8, 1.9]
    for table, pairs in cacl_paper.STEPS.items():
        assert {row for pair in pairs for row in pair} <= set(cacl_paper.TITLES[table])


def test_presets_beside_the_rows_have_the_numbers_of_their_method():
    found = cacl_paper.reported("2", {"moco": None, "byol": None, "moco+cacl": "moco", "random": None})
    assert stated(found, "mIoU", "moco") == {"R50": 44.5}  # of ImageNet
    assert stated(found, "mIoU", "moco+cacl") == {"R18": 33.2, "R50": 44.6}
    assert stated(found, "mIoU", "byol") == {"R50": 38.2}
    assert stated(found, "mIoU", "random") == {}
    assert "byol" not in cacl_paper.REPORTED["2"]["R50"]["mIoU"]
