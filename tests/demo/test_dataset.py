"""What the synthetic call centre contains, and how it grows."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from liner_mcp.demo import Dataset
from liner_mcp.demo.adversarial_summaries import SUMMARIES, VERY_LONG
from liner_mcp.demo.generation import MOSCOW
from tests.demo.support import NOW, default_dataset, small_dataset


def test_equal_arguments_give_equal_dataset() -> None:
    one, other = small_dataset(), small_dataset()
    assert (one.calls, one.records, one.leads, one.users) == (other.calls, other.records, other.leads, other.users)
    assert one.adversarial_records == other.adversarial_records


def test_another_seed_gives_another_past() -> None:
    assert Dataset.generate(seed=2, now=NOW, days=10, calls=300).calls != small_dataset().calls


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="timezone-aware"):
        Dataset.generate(now=NOW.replace(tzinfo=None))


def test_the_call_centre_has_six_orders_and_fourteen_agents_in_three_groups() -> None:
    dataset = default_dataset()
    assert len(dataset.orders) == 6
    assert len(dataset.agents) == 14
    grouped = [agent_id for group in dataset.agent_groups for agent_id in group.agent_ids]
    assert len(dataset.agent_groups) == 3
    assert sorted(grouped) == sorted(agent.id for agent in dataset.agents)
    assert {user.access_group for user in dataset.users} >= {"admin", "client"}


def test_two_agents_share_a_full_name_and_one_has_left() -> None:
    names = Counter(agent.full_name for agent in default_dataset().agents)
    assert [count for count in names.values() if count > 1] == [2]
    assert [agent.is_active for agent in default_dataset().agents].count(False) == 1


def test_names_and_titles_come_in_both_alphabets() -> None:
    dataset = default_dataset()
    assert {agent.full_name.isascii() for agent in dataset.agents} == {True, False}
    assert {order.title.isascii() for order in dataset.orders} == {True, False}


def test_ids_of_calls_records_and_leads_have_seven_digits_and_their_own_range() -> None:
    dataset = default_dataset()
    assert (min(dataset.calls), min(dataset.records), min(dataset.leads)) == (7000001, 9000001, 5000001)
    assert len(dataset.calls) == 4000
    assert max(dataset.calls) == 7004000


def test_calls_lie_in_the_asked_days_and_in_business_hours() -> None:
    for call in default_dataset().calls.values():
        assert NOW - timedelta(days=40) <= call.created_at <= NOW
        assert 9 <= call.created_at.astimezone(MOSCOW).hour <= 20


def test_a_dataset_may_span_a_single_day_or_hold_no_call() -> None:
    sunday_night = NOW.replace(day=22, hour=2)
    assert len(Dataset.generate(now=sunday_night, days=1, calls=20).calls) == 20
    assert Dataset.generate(now=NOW, calls=0).add_call().id == 7000001


def test_unanswered_calls_have_no_talk_and_answered_ones_last_up_to_fifteen_minutes() -> None:
    calls = default_dataset().calls.values()
    talks = [call.talk_time_duration_seconds for call in calls]
    assert talks.count(0) > 1000
    assert max(talks) <= 900
    assert {call.finish_initiator for call in calls} == {"client", "operator", "system", None}
    assert not any(call.finish_initiator == "operator" and call.user_id is None for call in calls)
    for call in calls:
        assert call.total_duration_seconds == call.wait_time_duration_seconds + call.talk_time_duration_seconds
        assert call.talk_time_duration_seconds or not call.has_records


def test_records_belong_to_calls_that_say_so_and_some_are_not_listed_yet() -> None:
    dataset = default_dataset()
    for record in dataset.records.values():
        assert dataset.calls[record.call_id].has_records
        assert record.created_at <= NOW
    counts = Counter(len(dataset.records_of(call.id)) for call in dataset.calls.values() if call.has_records)
    assert counts[1] > 1000
    assert counts[0] > 5
    assert counts[2] > 50


def test_a_transferred_call_has_a_second_record_of_the_transfer() -> None:
    dataset = default_dataset()
    transfers = [record for record in dataset.records.values() if record.is_transfer]
    assert len(transfers) > 100
    for record in transfers:
        assert [each.is_transfer for each in dataset.records_of(record.call_id)] == [False, True]


def test_a_few_calls_carry_a_status_that_no_dictionary_knows() -> None:
    dataset = default_dataset()
    known = {status.code for status in dataset.call_statuses}
    unknown = [call for call in dataset.calls.values() if call.status_code not in known]
    assert 0 < len(unknown) < 20
    lead_codes = {status.code for status in dataset.lead_statuses}
    links = {status.lead_status_code for status in dataset.call_statuses}
    assert None in links
    assert links - {None} <= lead_codes
    assert {status.category for status in dataset.lead_statuses} == {"in-progress", "qualified", "disqualified"}


def test_leads_are_older_than_their_calls() -> None:
    dataset = default_dataset()
    assert all(dataset.leads[call.lead_id].created_at < call.created_at for call in dataset.calls.values())
    assert all(dataset.leads[call.lead_id].order_id == call.order_id for call in dataset.calls.values())


def test_two_thirds_of_the_records_have_a_summary_and_most_are_russian() -> None:
    records = default_dataset().records.values()
    written = [record for record in records if record.facts]
    russian = [record for record in written if any("а" <= letter <= "я" for letter in record.facts[2])]
    assert 0.60 < len(written) / len(records) < 0.70
    assert 0.63 < len(russian) / len(written) < 0.77
    assert any(record.summary is not None and not record.summary.strip() for record in records)


def test_every_fact_is_in_its_summary_and_summaries_have_twenty_to_ninety_words() -> None:
    for record in default_dataset().records.values():
        if record.facts:
            assert record.summary is not None
            assert all(fact in record.summary for fact in record.facts)
            assert 20 <= len(record.summary.split()) <= 90


def test_phone_numbers_are_mentioned_in_several_spellings() -> None:
    phones = [record.facts[3] for record in default_dataset().records.values() if len(record.facts) > 3]
    for start in ("+7 9", "8 (9", "89", "+971 5"):
        assert any(phone.startswith(start) for phone in phones), start


def test_every_adversarial_text_is_there_on_a_recent_day() -> None:
    dataset = default_dataset()
    assert set(dataset.adversarial_records) == set(SUMMARIES)
    for name, record_id in dataset.adversarial_records.items():
        assert dataset.records[record_id].summary == SUMMARIES[name]
        assert dataset.records[record_id].created_at > NOW - timedelta(days=4)
    assert len(SUMMARIES["very_long"]) == VERY_LONG


def test_calls_of_an_order_are_sorted_by_time() -> None:
    dataset = default_dataset()
    moments = [call.created_at for call in dataset.calls_of_order(201)]
    assert len(moments) > 500
    assert moments == sorted(moments)


def test_an_added_call_takes_what_it_is_given_and_sensible_rest() -> None:
    dataset = small_dataset()
    at = NOW - timedelta(hours=3)
    call = dataset.add_call(order=204, agent=None, created_at=at, status_code="no_answer")
    assert (call.order_id, call.user_id, call.created_at, call.status_code) == (204, None, at, "no_answer")
    assert dataset.leads[call.lead_id].order_id == 204
    assert call in dataset.calls_of_order(204)
    assert dataset.add_call().user_id == dataset.orders[0].agent_user_ids[0]


def test_an_added_record_makes_its_call_a_recorded_one() -> None:
    dataset = small_dataset()
    call = dataset.add_call()
    record = dataset.add_record(call.id, summary="Клиент согласен.", is_transfer=True)
    assert dataset.records_of(call.id) == [record]
    assert dataset.calls[call.id].has_records
    assert dataset.calls[call.id] in dataset.calls_of_order(call.order_id)
    assert (record.summary, record.is_transfer, record.user_id) == ("Клиент согласен.", True, call.user_id)


def test_a_misspelt_change_is_refused() -> None:
    with pytest.raises(TypeError, match="talk_seconds"):
        small_dataset().add_call(talk_seconds=5)
