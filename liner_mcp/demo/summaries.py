"""Summaries as an AI writes them: Russian or English, 20 to 90 words, with facts that tests can look for.

`generation` decides which call gets which summary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from random import Random

T = TypeVar("T")

_MONTHS_RU = (
    "января", "февраля", "марта", "апреля", "мая", "июня",
    "июля", "августа", "сентября", "октября", "ноября", "декабря",
)  # fmt: skip
_MONTHS_GB = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Talk:
    """What a summary is about."""

    name_ru: str
    name_gb: str
    phone: str
    project: str
    is_gulf: bool
    outcome: str
    appointment: date
    is_transfer: bool


@dataclass(frozen=True, slots=True)
class _Phrases:
    openings: Sequence[str]
    transfer_openings: Sequence[str]
    homes: Sequence[str]
    budgets: Sequence[str]
    dates: Sequence[str]
    phones: Sequence[str]
    asides: Sequence[str]
    outcomes: Mapping[str, Sequence[str]]
    other_outcome: str


_RU = _Phrases(
    openings=(
        "Клиент {name} оставлял заявку по проекту «{project}» и рассматривает {home}.",
        "На звонок отвечает {name}: хочет подробнее узнать про «{project}», подбирает {home}.",
        "{name} помнит рекламу «{project}», выбирает {home} и сравнивает с двумя соседними проектами.",
        "Собеседник представляется как {name}, ищет {home} в «{project}» для своей семьи.",
    ),
    transfer_openings=(
        "Оператор соединяет отдел продаж «{project}» с клиентом: {name} рассматривает {home}.",
        "Передача звонка в отдел продаж: на линии {name}, проект «{project}», подбирает {home}.",
    ),
    homes=(
        "студию с отделкой",
        "однокомнатную квартиру",
        "двухкомнатную квартиру с балконом",
        "трёхкомнатную квартиру с видом на воду",
        "апартаменты для сдачи в аренду",
        "квартиру на высоком этаже",
    ),
    budgets=(
        "Бюджет — {money}, первый взнос готов внести сразу.",
        "Озвучивает бюджет до {money} и спрашивает про рассрочку без переплаты.",
        "Располагает суммой {money}, остальное планирует взять в ипотеку.",
        "Говорит, что больше {money} тратить не готов, торг уместен.",
    ),
    dates=(
        "Может приехать на просмотр {date} после обеда.",
        "Сделку хочет закрыть до {date}, сроки важны.",
        "Предлагает встречу {date}, просит подтвердить время сообщением.",
        "Просит связаться снова {date} в первой половине дня.",
    ),
    phones=(
        "Просит звонить только на номер {phone}, другой отключён.",
        "Для связи с родными диктует телефон {phone}.",
    ),
    asides=(
        "Спрашивает про сроки сдачи корпуса, парковку и школу рядом.",
        "Оператор рассказывает про акцию месяца и отвечает на вопрос о документах.",
        "Уже смотрел похожие варианты у другого застройщика, цена там выше.",
        "Отмечает, что решение принимает вместе с семьёй, нужна пара дней на обсуждение.",
        "Связь дважды прерывается, часть вопросов приходится повторить.",
        "Просит прислать планировки и презентацию в мессенджер, чтобы изучить их спокойно.",
    ),
    outcomes={
        "qualified": (
            "Клиент подходит под критерии заказчика, заявка квалифицирована.",
            "Потребность, бюджет и сроки подтверждены, контакт передан заказчику.",
        ),
        "transferred_to_sales": (
            "Клиент соглашается на перевод, разговор передан менеджеру отдела продаж.",
            "Оператор предупреждает о переводе и остаётся на линии до ответа менеджера.",
        ),
        "disqualified": (
            "Проект клиенту не подходит: нужен другой район, заявка закрыта.",
            "Покупать в этом году не планирует, просит больше не звонить по этому вопросу.",
        ),
        "call_back": (
            "Сейчас говорить неудобно, договорились о повторном звонке.",
            "Клиент за рулём, оператор обещает перезвонить в удобное время.",
        ),
        "conversation_completed": (
            "Решение не принято, оператор предлагает вернуться к разговору позже.",
            "Разговор завершён спокойно, следующий шаг клиент назовёт сам.",
        ),
        "client_hung_up": ("Клиент неожиданно кладёт трубку, не дослушав предложение до конца.",),
        "wrong_number": ("Выясняется, что заявку оставлял другой человек, а номер указан по ошибке.",),
    },
    other_outcome="Итог разговора в карточке не отмечен, линия отдела продаж была занята.",
)

_GB = _Phrases(
    openings=(
        "The client, {name}, left a request about {project} and is considering {home}.",
        "{name} answers the call, remembers the {project} advertisement and is looking for {home}.",
        "{name} wants to know more about {project} and needs {home}; is also comparing other developments.",
    ),
    transfer_openings=(
        "The agent connects {name} with the sales office of {project}; the client is considering {home}.",
        "Handover to sales: {name} is on the line about {project} and is looking for {home}.",
    ),
    homes=(
        "a furnished studio",
        "a one-bedroom flat",
        "a two-bedroom flat with a balcony",
        "a three-bedroom apartment with a sea view",
        "an apartment to let",
        "a unit on a high floor",
    ),
    budgets=(
        "The budget is {money} and the down payment is ready.",
        "Names a ceiling of {money} and asks about an interest-free payment plan.",
        "Has {money} in cash, the rest would be a mortgage.",
        "Will not spend more than {money} but is open to negotiation.",
    ),
    dates=(
        "Can come to a viewing on {date} in the afternoon.",
        "Wants to close the deal before {date}, timing matters.",
        "Suggests a meeting on {date} and asks for a confirmation message.",
        "Asks to be contacted again on {date} in the morning.",
    ),
    phones=(
        "Asks to be called on {phone} only, the other line is off.",
        "Leaves {phone} as the number of a relative.",
    ),
    asides=(
        "Asks about the handover date, parking and the nearest school.",
        "The agent explains this month's offer and answers a question about the paperwork.",
        "Has seen similar units elsewhere at a higher price.",
        "Decides together with the family and needs a couple of days.",
        "The line drops twice and some questions have to be repeated.",
        "Asks for floor plans and a brochure in a messenger to study them calmly.",
    ),
    outcomes={
        "qualified": (
            "The client meets the criteria and the request is qualified.",
            "Need, budget and timing are confirmed, the contact goes to the customer.",
        ),
        "transferred_to_sales": (
            "The client agrees to the transfer and is handed over to a sales manager.",
            "The agent announces the transfer and stays on the line until the manager answers.",
        ),
        "disqualified": (
            "The project does not suit: another district is needed, the request is closed.",
            "Does not plan to buy this year and asks not to be called about it again.",
        ),
        "call_back": (
            "It is a bad moment to talk, they agree on another call.",
            "The client is driving, the agent promises to call back at a better time.",
        ),
        "conversation_completed": (
            "No decision yet, the agent offers to come back to it later.",
            "The talk ends calmly and the client will name the next step.",
        ),
        "client_hung_up": ("The client hangs up abruptly before the offer is finished.",),
        "wrong_number": ("It turns out that somebody else left the request and the number is wrong.",),
    },
    other_outcome="The result is not marked in the card, the sales line was busy.",
)


def compose(rng: Random, talk: Talk, *, russian: bool, with_phone: bool) -> tuple[str, tuple[str, ...]]:
    """A summary and the facts in it."""
    phrases = _RU if russian else _GB
    name = talk.name_ru if russian else talk.name_gb
    money = _money(rng, is_gulf=talk.is_gulf, russian=russian)
    day = _day(talk.appointment, russian=russian)
    openings = phrases.transfer_openings if talk.is_transfer else phrases.openings
    facts = [name, money, day]
    sentences = [
        pick(rng, openings).format(name=name, project=talk.project, home=pick(rng, phrases.homes)),
        pick(rng, phrases.budgets).format(money=money),
        pick(rng, phrases.dates).format(date=day),
    ]
    if with_phone:
        phone = spell_phone(rng, talk.phone)
        facts.append(phone)
        sentences.append(pick(rng, phrases.phones).format(phone=phone))
    sentences += rng.sample(phrases.asides, int(rng.random() * (2 if with_phone else 3)))
    outcomes = phrases.outcomes.get(talk.outcome)
    sentences.append(pick(rng, outcomes) if outcomes else phrases.other_outcome)
    return " ".join(sentences), tuple(facts)


def spell_phone(rng: Random, phone: str) -> str:
    """A phone number as people and speech recognisers write it."""
    if phone.startswith("+971"):
        digits = phone.removeprefix("+971")
        return f"+971 {digits[:2]} {digits[2:5]} {digits[5:]}"
    digits = phone.removeprefix("+7")
    code, first, second, third = digits[:3], digits[3:6], digits[6:8], digits[8:]
    spaced = f"8 ({code}) {first} {second} {third}"
    return pick(rng, (f"+7 {code} {first}-{second}-{third}", spaced, f"8{digits}", phone))


def _money(rng: Random, *, is_gulf: bool, russian: bool) -> str:
    if is_gulf:
        tenths = 8 + int(rng.random() * 60)
        amount = f"{tenths // 10},{tenths % 10}" if russian else f"{tenths / 10:.1f}"
        return f"{amount} млн дирхамов" if russian else f"AED {amount} million"
    tenths = 45 + int(rng.random() * 250)
    if not russian:
        return f"{tenths / 10:.1f} million roubles"
    if tenths % 3:
        return f"{tenths // 10},{tenths % 10} млн ₽"
    return f"{tenths // 10} {tenths % 10}00 000 рублей"


def _day(day: date, *, russian: bool) -> str:
    return f"{day.day} {(_MONTHS_RU if russian else _MONTHS_GB)[day.month - 1]}"


def pick(rng: Random, options: Sequence[T]) -> T:
    # Much faster than Random.choice, which matters for half a million picks in a year of calls.
    return options[int(rng.random() * len(options))]
