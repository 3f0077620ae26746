"""Every fault against every tool and every resource: right, partial and told, or one clear sentence. Never wrong."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import stamina

from liner_mcp.demo import DemoLiner
from liner_mcp.liner import throttle
from tests.claims.asking import OLD_LIST_SECONDS, directory_clock
from tests.fakes import FAULTS, FakeLiner, Fault, First
from tests.fakes.faults import ListFault
from tests.fault_matrix.cases import CASES, HEALTHY, Case
from tests.fault_matrix.client import ToolRequest, client_for, in_process, send
from tests.fault_matrix.deviations import DeviatingLiner
from tests.fault_matrix.oracle import Verdict, WrongAnswer, check_outcome
from tests.fault_matrix.scenario import AMBIGUOUS_NAME, Request, Scenario, make_scenario
from tests.support.virtual_time import VirtualTimeLoop, run_threads_inline

pytestmark = pytest.mark.anyio

BOTH_ERAS = [
    "nothing wrong",
    "500",
    "200 with a login page",
    "404 with a web page",
    "no answer at all",
    "rows that repeat",
    "500, sometimes",
    "calls without hasRecords",
    "records without isTransfer",
    "window read three hours later",
    "bare arrays in pages of 20",
    "empty record lists",
    "a stale list of orders",
]
WARM_UP = ToolRequest("call_stats", {"since": "-24h"})
JSON_ONLY = {"truncated JSON", "JSON with NaN", "the wrong charset"}


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Virtual time: a deadline that is waited for costs none, and a slow machine misses none."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture(scope="module")
async def scenario() -> Scenario:
    return await make_scenario()


@pytest.fixture(autouse=True)
def without_retry_delay(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Retries happen, the waits between them do not: what is asked here is what comes out, not when."""
    run_threads_inline(monkeypatch)
    monkeypatch.setattr(throttle, "INITIAL_BACKOFF_SECONDS", 0.0)  # the pause after a 429 that names none
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


async def run_case(case: Case, request: Request, liner: DemoLiner, mode: str = "auto") -> Verdict:
    transport = in_process(liner)
    with directory_clock() as clock:
        async with client_for(liner, mode=mode, transport=transport, deadline_seconds=case.deadline) as client:
            if isinstance(liner, DeviatingLiner) and case.deviation is not None and case.deviation.stale:
                await send(client, WARM_UP)
                liner.advance()
                clock.advance(OLD_LIST_SECONDS)
            outcome = await send(client, request.request)
    return check_outcome(outcome, request.check_for(case.slack))


async def verdicts(case: Case, scenario: Scenario, mode: str) -> dict[str, str]:
    """The verdict on each question; in the place of one, what is wrong."""
    found: dict[str, str] = {}
    for request in scenario.requests:
        try:
            found[request.name] = await run_case(case, request, case.liner(scenario.dataset), mode)
        except WrongAnswer as wrong:
            found[request.name] = f"WRONG: {wrong}"
        except TimeoutError:
            found[request.name] = "HANGS"
    return found


def expected_verdicts(case: Case, found: dict[str, str]) -> dict[str, str]:
    """What is not as it should be."""
    allowed = {"right": {"right"}, "a sentence": {"sentence"}, "right or told": {"right", "partial", "sentence"}}
    return {
        name: verdict
        for name, verdict in found.items()
        if verdict not in ({"sentence", "partial"} if name == AMBIGUOUS_NAME else set[str]()) | allowed[case.outcome]
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_no_answer_is_wrong(case: Case, scenario: Scenario) -> None:
    assert expected_verdicts(case, await verdicts(case, scenario, "auto")) == {}


@pytest.mark.parametrize("case", [c for c in CASES if c.name in BOTH_ERAS], ids=lambda case: case.name)
async def test_no_answer_is_wrong_in_the_older_era_either(case: Case, scenario: Scenario) -> None:
    assert expected_verdicts(case, await verdicts(case, scenario, "legacy")) == {}


@pytest.mark.parametrize("name", [name for name, what in FAULTS.items() if not isinstance(what, ListFault)])
async def test_a_recording_whose_host_fails_is_whole_or_a_sentence(name: str, scenario: Scenario) -> None:
    (case,) = [case for case in CASES if case.name == name]
    liner = FakeLiner(scenario.dataset, faults=[Fault(FAULTS[name], "^/audio/")])
    found = await run_case(case, scenario["the resource of a recording"], liner)
    assert found == ("right" if case.outcome == "right" or name in JSON_ONLY else "sentence")


@pytest.mark.parametrize("name", ["429, no word on waiting", "500", "503", "a reset connection"])
async def test_what_fails_once_and_is_well_again_is_never_noticed(name: str, scenario: Scenario) -> None:
    for request in scenario.requests:
        liner = FakeLiner(scenario.dataset, faults=[Fault(FAULTS[name], frequency=First(1))])
        wanted = "sentence" if request.name == AMBIGUOUS_NAME else "right"
        assert await run_case(HEALTHY, request, liner) == wanted, request.name
