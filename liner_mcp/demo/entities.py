"""The entities of the demo Liner: immutable dataclasses in snake_case. All times are aware and in UTC.

`generation` creates them, and `serialization` turns them into JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

AGENT_ACCESS_GROUPS = ("call-center", "call-center-senior")


@dataclass(frozen=True, slots=True)
class Order:
    """A client's calling project."""

    id: int
    code: str
    title: str
    service_title: str
    agent_group_ids: tuple[int, ...]
    agent_user_ids: tuple[int, ...]
    call_center_phone: str
    is_gulf: bool = False
    predictive_mode_enabled: bool = False
    ai_mode_enabled: bool = False
    standalone_ai_mode_enabled: bool = False
    amd_detection_enabled: bool = False
    call_record_rule: str = "client_is_connected"


@dataclass(frozen=True, slots=True)
class Agent:
    """A user of Liner: an agent (`is_agent`), an admin or a client."""

    id: int
    name: str
    last_name: str
    email: str
    access_group: str
    created_at: datetime
    last_activity_at: datetime | None
    second_name: str | None = None
    is_active: bool = True
    interface_language_code: str = "ru"
    language_skill_codes: tuple[str, ...] = ("ru",)

    @property
    def is_agent(self) -> bool:
        return self.access_group in AGENT_ACCESS_GROUPS

    @property
    def full_name(self) -> str:
        return f"{self.name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class AgentGroup:
    id: int
    name_ru: str
    name_gb: str
    agent_ids: tuple[int, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CallStatus:
    id: int
    code: str
    title: str
    description: str
    sort: int
    lead_status_code: str | None
    agent_call_availability: str = "always"
    comment_required: bool = False
    is_available_for_ai: bool = True
    planning_time_required: bool = False
    is_system: bool = False


@dataclass(frozen=True, slots=True)
class LeadStatus:
    id: int
    code: str
    title: str
    category: str
    sort: int
    color: str
    is_system: bool = False


@dataclass(frozen=True, slots=True)
class Lead:
    """One client's request."""

    id: int
    name: str
    phone: str
    order_id: int
    status_id: int
    created_at: datetime
    updated_at: datetime
    utc_offset: int = 3
    lead_type: str = "straight"
    create_method: str = "api"
    is_secondary: bool = False
    planning_call_date_time: datetime | None = None
    priority: int = 0
    source_comment: str = ""
    telegram_user_name: str = ""
    source: str | None = None  # the value of the custom field "Источник" (source)


@dataclass(frozen=True, slots=True)
class Call:
    """One phone attempt."""

    id: int
    order_id: int
    lead_id: int
    user_id: int | None
    status_code: str
    created_at: datetime
    client_phone: str
    sip_endpoint_id: int
    direction: str
    finish_initiator: str | None
    total_duration_seconds: int
    wait_time_duration_seconds: int
    talk_time_duration_seconds: int
    is_predictive: bool
    has_records: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One audio file of a call. The fields after `created_at` are not sent."""

    id: int
    call_id: int
    user_id: int | None
    lead_id: int
    is_transfer: bool
    duration_seconds: int
    summary: str | None
    created_at: datetime
    has_file: bool = True
    is_amd: bool = False
    facts: tuple[str, ...] = ()  # substrings of the summary that tests can look for
