"""The fixed data of the demo: orders, users, agent groups, statuses.

Ids of different kinds are from different ranges, so that a mix-up of two kinds is noticed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from liner_mcp.demo.entities import Agent, AgentGroup, CallStatus, LeadStatus, Order

FOUNDED = datetime(2023, 9, 4, 6, 0, tzinfo=UTC)

UNKNOWN_STATUS_CODE = "sales_queue_overflow"  # a removed status: old calls have it, the dictionary does not

AGENT_GROUPS = (
    AgentGroup(31, "Первая линия", "First line", (101, 102, 104, 105, 107), FOUNDED, FOUNDED + timedelta(days=30)),
    AgentGroup(32, "Премиум и Дубай", "Premium and Dubai", (106, 109, 110, 112, 114), FOUNDED, FOUNDED),
    AgentGroup(33, "Вечерняя смена", "Evening shift", (103, 108, 111, 113), FOUNDED, FOUNDED + timedelta(days=90)),
)

_FIRST, _PREMIUM, _EVENING = (group.agent_ids for group in AGENT_GROUPS)

ORDERS = (
    Order(
        201, "sunrise-park", "Sunrise Park", "Sunrise Park | Москва | квал", (31,), _FIRST, "+79000000201",
        predictive_mode_enabled=True, amd_detection_enabled=True,
    ),
    Order(
        202, "severny-bereg", "ЖК Северный Берег", "Северный Берег | СПб", (31, 33), _FIRST + _EVENING, "+79000000202",
        predictive_mode_enabled=True, amd_detection_enabled=True,
    ),
    Order(
        203, "severnaya-gavan", "ЖК Северная Гавань", "Северная Гавань | СПб | повторные", (33,), _EVENING,
        "+79000000203", call_record_rule="agent_is_connected",
    ),
    Order(
        204, "marina-heights", "Marina Heights Dubai", "Marina Heights | DXB", (32,), _PREMIUM, "+971500000204",
        is_gulf=True, call_record_rule="agent_is_connected",
    ),
    Order(
        205, "lesnoy-kvartal", "Лесной квартал", "Лесной квартал | ИИ + операторы", (31, 32), _FIRST + _PREMIUM,
        "+79000000205", ai_mode_enabled=True, amd_detection_enabled=True,
    ),
    Order(
        206, "riverside-loft", "Riverside Loft", "Riverside Loft | только ИИ", (32,), _PREMIUM, "+79000000206",
        ai_mode_enabled=True, standalone_ai_mode_enabled=True,
    ),
)  # fmt: skip

CALL_STATUSES = (
    CallStatus(
        51, "qualified", "Квалифицирован", "Клиент подходит заказчику", 10, "qualified", is_system=True,
    ),
    CallStatus(
        52, "disqualified", "Дисквалифицирован", "Клиент не подходит заказчику", 20, "disqualified",
        comment_required=True, is_system=True,
    ),
    CallStatus(53, "no_answer", "Недозвон", "Клиент не ответил", 30, None, "never", is_system=True),
    CallStatus(54, "client_hung_up", "Клиент положил трубку", "Разговор прерван клиентом", 40, None),
    CallStatus(
        55, "call_back", "Перезвонить", "Клиент просит перезвонить", 50, "in-progress", planning_time_required=True,
    ),
    CallStatus(56, "conversation_completed", "Разговор завершён", "Разговор без решения", 60, "in-progress"),
    CallStatus(
        57, "transferred_to_sales", "Переведён в отдел продаж", "Клиент соединён с отделом продаж", 70, "qualified",
        "after_call_transfer", is_available_for_ai=False,
    ),
    CallStatus(58, "answering_machine", "Автоответчик", "Определён автоответчик", 80, None, "never", is_system=True),
    CallStatus(59, "wrong_number", "Неверный номер", "Заявку оставлял другой человек", 90, "rejected"),
)  # fmt: skip

LEAD_STATUSES = (
    LeadStatus(71, "new", "Новый", "in-progress", 10, "#95a5a6", is_system=True),
    LeadStatus(72, "in-progress", "В работе", "in-progress", 20, "#3498db", is_system=True),
    LeadStatus(73, "qualified", "Целевой", "qualified", 30, "#2ecc71", is_system=True),
    LeadStatus(74, "disqualified", "Нецелевой", "disqualified", 40, "#e67e22", is_system=True),
    LeadStatus(75, "rejected", "Отказ", "disqualified", 50, "#e74c3c"),
)

DEFAULT_SIP_ENDPOINT_ID = 401
SIP_ENDPOINT_IDS = {order.id: DEFAULT_SIP_ENDPOINT_ID + i for i, order in enumerate(ORDERS, start=1)}

# Two agents are called Анна Смирнова, because a name does not identify a person.
_AGENT_NAMES = (
    ("Anna", "Petrova"),
    ("Анна", "Смирнова"),
    ("Анна", "Смирнова"),
    ("Игорь", "Соколов"),
    ("Мария", "Кузнецова"),
    ("Omar", "Haddad"),
    ("Елена", "Волкова"),
    ("Дмитрий", "Орлов"),
    ("Sofia", "Marin"),
    ("Алексей", "Лебедев"),
    ("Ольга", "Никитина"),
    ("Timur", "Aliev"),
    ("Наталья", "Зайцева"),
    ("Kirill", "Danilov"),
)
_FORMER_AGENT_ID = 113
_SENIOR_AGENT_ID = 114
_OTHER_USERS = (
    ("Виктор", "Громов", "admin"),
    ("Светлана", "Белова", "moderator"),
    ("Sunrise", "Development", "client"),
    ("Павел", "Трафиков", "arbitration"),
)


def users(now: datetime) -> tuple[Agent, ...]:
    """Everyone with a login: fourteen agents, then users who make no calls."""
    return tuple(_agents(now)) + tuple(_others(now))


def _agents(now: datetime) -> list[Agent]:
    people: list[Agent] = []
    for agent_id, (name, last_name) in enumerate(_AGENT_NAMES, start=101):
        active = agent_id != _FORMER_AGENT_ID
        speaks_english = agent_id in _PREMIUM
        people.append(
            Agent(
                id=agent_id,
                name=name,
                last_name=last_name,
                email=f"agent{agent_id}@example.com",
                access_group="call-center-senior" if agent_id == _SENIOR_AGENT_ID else "call-center",
                created_at=FOUNDED + timedelta(days=agent_id - 100),
                last_activity_at=now - (timedelta(minutes=agent_id - 100) if active else timedelta(days=14)),
                is_active=active,
                interface_language_code="gb" if name.isascii() else "ru",
                language_skill_codes=("ru", "gb") if speaks_english else ("ru",),
            )
        )
    return people


def _others(now: datetime) -> list[Agent]:
    return [
        Agent(
            id=user_id,
            name=name,
            last_name=last_name,
            email=f"{group}{user_id}@example.com",
            access_group=group,
            created_at=FOUNDED,
            last_activity_at=None if group == "client" else now - timedelta(hours=user_id),
        )
        for user_id, (name, last_name, group) in enumerate(_OTHER_USERS, start=1)
    ]
