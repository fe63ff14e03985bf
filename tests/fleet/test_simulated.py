"""Rollouts over simulated hosts are what the model expects, also after an interruption."""

from __future__ import annotations

import pytest

from tests.fleet.simulated import simulate

pytestmark = pytest.mark.process
MOST_CPU_S, MOST_MIB = 60, 400


def test_a_rollout_is_what_the_model_expects() -> None:
    found = simulate(200, 20, seed=1).found

    assert (True, 0) == (found["equal"], found["asked_twice"]), found


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_hosts_take_a_minute_of_processor_time(seed: int) -> None:
    found, cpu_s, mib = simulate(10_000, 200, seed)

    assert (True, 0) == (found["equal"], found["asked_twice"]), found
    assert cpu_s < MOST_CPU_S
    assert mib < MOST_MIB
