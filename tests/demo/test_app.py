"""The key, the envelope and addresses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from liner_mcp.demo import DemoLiner
from tests.demo.support import client_of, data_of, default_dataset, get, small_dataset

if TYPE_CHECKING:
    from collections.abc import MutableMapping

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("key", [None, "", "wrong"])
async def test_a_missing_or_wrong_key_is_unauthorized(key: str | None) -> None:
    async with client_of(DemoLiner(default_dataset()), key) as client:
        for target in ("/v2/order/", "/v1/health/check/", "/v2/nowhere/"):
            response = await client.get(target)
            assert response.status_code == 401
            assert response.json().keys() == {"success", "message", "data"}
            assert (response.json()["success"], response.json()["data"]) == (False, None)


async def test_the_key_is_the_one_the_demo_was_given() -> None:
    async with client_of(DemoLiner(default_dataset(), token="ключ"), None) as client:
        assert (await client.get("/v2/order/", headers={b"X-Api-Key": "ключ".encode()})).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_anything_but_get_is_not_allowed(method: str) -> None:
    async with client_of(DemoLiner(default_dataset())) as client:
        response = await client.request(method, "/v2/order/")
        assert response.status_code == 405
        assert response.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v2/nowhere/",
        "/v2/call//",
        "/v2/call/detail/",
        "/v2/order/detail/201/",
        "/v2/agent-group/31/",
        "/v2/call/detail/999/",
        "/v2/call-record/detail/999/",
        "/v2/lead/detail/999",
        "/v2/user/detail/999/",
        "/v2/call-statuses/",
    ],
)
async def test_unknown_addresses_and_ids_are_not_found(target: str) -> None:
    response = await get(DemoLiner(default_dataset()), target)
    assert response.status_code == 404
    assert response.json()["success"] is False
    assert response.json()["message"]
    assert response.json()["data"] is None


@pytest.mark.parametrize("target", ["/v2/order", "/v2/call/detail/7000001", "/v2/agent-group", "/v2/user/list"])
async def test_both_forms_of_an_address_are_answered_directly(target: str) -> None:
    demo = DemoLiner(default_dataset())
    assert await data_of(demo, target) == await data_of(demo, f"{target}/")


async def test_bodies_are_compact_json_in_real_cyrillic() -> None:
    response = await get(DemoLiner(default_dataset()), "/v2/call-status/")
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)
    assert "Перезвонить".encode() in response.content
    assert b"\\u" not in response.content
    assert response.content.startswith(b'{"success":true,"message":"","data":[{"id":5')


@pytest.mark.parametrize("name", sorted(default_dataset().adversarial_records))
async def test_adversarial_text_arrive_unharmed_in_valid_json(name: str) -> None:
    dataset = default_dataset()
    record_id = dataset.adversarial_records[name]
    response = await get(DemoLiner(dataset), f"/v2/call-record/detail/{record_id}/")
    assert json.loads(response.content.decode("utf-8"))["data"]["recordSummary"] == dataset.records[record_id].summary


async def test_a_lone_surrogate_is_sent_as_a_json_escape() -> None:
    dataset = default_dataset()
    response = await get(DemoLiner(dataset), f"/v2/call-record/detail/{dataset.adversarial_records['lone_surrogate']}/")
    assert b"\\ud83d" in response.content


async def test_a_demo_without_a_dataset_makes_the_default_one() -> None:
    demo = DemoLiner()
    assert (await data_of(demo, "/v2/order/"))["total"] == 6
    assert len(demo.dataset.calls) == 4000


async def test_a_server_may_announce_its_start_and_end() -> None:
    incoming = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": next(incoming)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(str(message["type"]))

    await DemoLiner()({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_two_demos_of_equal_dataset_answer_byte_for_byte_alike() -> None:
    target = "/v2/call/?orderIds[]=201&orderIds[]=204"
    one, other = DemoLiner(small_dataset()), DemoLiner(small_dataset())
    assert (await get(one, target)).content == (await get(other, target)).content
