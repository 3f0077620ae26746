"""Every fault against every tool and every resource: right, partial and told, or one clear sentence. Never wrong."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import stamina

from liner_mcp.demo import DemoLiner
from liner_mcp.liner import throttle
from tests.fakes import FAULTS, FakeLiner, Fault, First
from tests.fakes.faults import OfLists
from tests.fault_matrix.cases import CASES, HEALTHY, Case
from tests.fault_matrix.client import ask, asking, in_process
from tests.fault_matrix.oracle import Verdict, Wrong, judged
from tests.fault_matrix.scenario import NAMED_BY_TWO, Question, Scene, make_scene

pytestmark = pytest.mark.anyio

BOTH_ERAS = [
    "nothing wrong",
    "500",
    "200 with a login page",
    "404 with a web page",
    "no answer at all",
    "rows that repeat",
    "500, sometimes",
]
JSON_ONLY = {"truncated JSON", "JSON with NaN", "the wrong charset"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def scene() -> Scene:
    return await make_scene()


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Retries happen, the waits between them do not: what is asked here is what comes out, not when."""
    monkeypatch.setattr(throttle, "FIRST_CEILING", 0.0)  # the pause after a 429 that names none
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


async def verdict_on(case: Case, question: Question, liner: DemoLiner, mode: str = "auto") -> Verdict:
    transport = in_process(liner)
    async with asking(liner, mode=mode, transport=transport, deadline_seconds=case.deadline) as client:
        came = await ask(client, question.asked)
    return judged(came, question.judge_for(case.slack))


async def verdicts(case: Case, scene: Scene, mode: str) -> dict[str, str]:
    """The verdict on each question; in the place of one, what is wrong."""
    found: dict[str, str] = {}
    for question in scene.questions:
        try:
            found[question.name] = await verdict_on(case, question, case.liner(scene.world), mode)
        except Wrong as wrong:
            found[question.name] = f"WRONG: {wrong}"
        except TimeoutError:
            found[question.name] = "HANGS"
    return found


def as_expected(case: Case, found: dict[str, str]) -> dict[str, str]:
    """What is not as it should be."""
    allowed = {"right": {"right"}, "a sentence": {"sentence"}, "right or told": {"right", "partial", "sentence"}}
    return {
        name: verdict
        for name, verdict in found.items()
        if verdict not in ({"sentence", "partial"} if name == NAMED_BY_TWO else set[str]()) | allowed[case.outcome]
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_no_answer_is_wrong(case: Case, scene: Scene) -> None:
    assert as_expected(case, await verdicts(case, scene, "auto")) == {}


@pytest.mark.parametrize("case", [c for c in CASES if c.name in BOTH_ERAS], ids=lambda case: case.name)
async def test_no_answer_is_wrong_in_the_older_era_either(case: Case, scene: Scene) -> None:
    assert as_expected(case, await verdicts(case, scene, "legacy")) == {}


@pytest.mark.parametrize("name", [name for name, what in FAULTS.items() if not isinstance(what, OfLists)])
async def test_a_recording_whose_host_fails_is_whole_or_a_sentence(name: str, scene: Scene) -> None:
    (case,) = [case for case in CASES if case.name == name]
    liner = FakeLiner(scene.world, faults=[Fault(FAULTS[name], "^/audio/")])
    found = await verdict_on(case, scene["the resource of a recording"], liner)
    assert found == ("right" if case.outcome == "right" or name in JSON_ONLY else "sentence")


@pytest.mark.parametrize("name", ["429, no word on waiting", "500", "503", "a reset connection"])
async def test_what_fails_once_and_is_well_again_is_never_noticed(name: str, scene: Scene) -> None:
    for question in scene.questions:
        liner = FakeLiner(scene.world, faults=[Fault(FAULTS[name], often=First(1))])
        wanted = "sentence" if question.name == NAMED_BY_TWO else "right"
        assert await verdict_on(HEALTHY, question, liner) == wanted, question.name
