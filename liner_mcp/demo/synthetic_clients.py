"""Synthetic clients: names in both alphabets, and phone numbers that are valid but not in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from liner_mcp.demo.summaries import pick

if TYPE_CHECKING:
    from random import Random

_MEN = (
    ("Иван", "Ivan"), ("Сергей", "Sergey"), ("Павел", "Pavel"), ("Андрей", "Andrey"), ("Руслан", "Ruslan"),
    ("Михаил", "Mikhail"), ("Артём", "Artyom"), ("Николай", "Nikolay"), ("Денис", "Denis"), ("Георгий", "Georgy"),
)  # fmt: skip
_WOMEN = (
    ("Екатерина", "Ekaterina"), ("Татьяна", "Tatyana"), ("Ирина", "Irina"), ("Юлия", "Yulia"), ("Алина", "Alina"),
    ("Светлана", "Svetlana"), ("Дарья", "Darya"), ("Вера", "Vera"), ("Полина", "Polina"), ("Лариса", "Larisa"),
)  # fmt: skip
_SURNAMES = (
    ("Иванов", "Ivanov"), ("Морозов", "Morozov"), ("Фёдоров", "Fyodorov"), ("Киселёв", "Kiselyov"),
    ("Титов", "Titov"), ("Макаров", "Makarov"), ("Гусев", "Gusev"), ("Ермаков", "Ermakov"), ("Власов", "Vlasov"),
    ("Комаров", "Komarov"), ("Щербаков", "Shcherbakov"), ("Жуков", "Zhukov"), ("Яковлев", "Yakovlev"),
    ("Савельев", "Savelyev"), ("Рябов", "Ryabov"), ("Наумов", "Naumov"),
)  # fmt: skip
_GULF_NAMES = (
    ("Халид Рахман", "Khalid Rahman"), ("Лейла Хасан", "Layla Hassan"), ("Джон Картер", "John Carter"),
    ("Прия Наир", "Priya Nair"), ("Омар Фарук", "Omar Farouk"), ("Сара Миллер", "Sara Miller"),
    ("Чен Вэй", "Chen Wei"), ("Фатима Али", "Fatima Ali"), ("Виктор Ланж", "Victor Lange"),
    ("Надя Салех", "Nadia Saleh"), ("Юсуф Демир", "Yusuf Demir"), ("Эмма Росси", "Emma Rossi"),
)  # fmt: skip
_RU_CODES = ("903", "905", "909", "911", "916", "921", "925", "926", "962", "985", "999")
_GULF_CODES = ("50", "52", "54", "55", "56", "58")
_RU_OFFSETS = (3, 3, 3, 3, 3, 3, 2, 5, 7)
_SOURCES = ("yandex", "telegram", "portal", None)
_COMMENTS = (
    "",
    "",
    "Комнат: 2; Срок покупки: до 3 месяцев",
    '{"q1":"Сколько комнат?","a1":"1","q2":"Бюджет","a2":"до 10 млн"}',
    "Хочет скидку",
)


class Person(NamedTuple):
    name_ru: str
    name_gb: str
    lead_name: str  # as in the lead's form: in the client's alphabet, sometimes empty
    phone: str
    utc_offset: int
    comment: str
    source: str | None


def random_person(rng: Random, *, is_gulf: bool) -> Person:
    """A new client. Subscriber numbers begin with 000, a block that is not assigned."""
    if is_gulf:
        name_ru, name_gb = pick(rng, _GULF_NAMES)
        lead_name = name_gb
        phone = f"+971{pick(rng, _GULF_CODES)}000{int(rng.random() * 10_000):04}"
        utc_offset = 4
    else:
        woman = rng.random() < 0.5
        first = pick(rng, _WOMEN if woman else _MEN)
        last = pick(rng, _SURNAMES)
        ending_ru, ending_gb = ("а", "a") if woman else ("", "")
        name_ru, name_gb = f"{first[0]} {last[0]}{ending_ru}", f"{first[1]} {last[1]}{ending_gb}"
        lead_name = name_ru
        phone = f"+7{pick(rng, _RU_CODES)}000{int(rng.random() * 10_000):04}"
        utc_offset = pick(rng, _RU_OFFSETS)
    if rng.random() < 0.04:
        lead_name = ""
    comment = pick(rng, _COMMENTS)
    return Person(name_ru, name_gb, lead_name, phone, utc_offset, comment, pick(rng, _SOURCES))
