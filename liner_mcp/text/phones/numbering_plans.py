"""Numbering plans: which country a number belongs to, and how well it fits that country's plan. Pure; digits only."""

from functools import lru_cache

import phonenumbers

RUSSIA = "7"  # and Kazakhstan
_TRUNK_COUNTRIES = ("971", "90", "44", "49")  # where numbers are written with a leading 0; the first that fits counts

VALID, POSSIBLE, INVALID = 2, 1, 0


def default_country(digits: str) -> str:
    """The country of ten digits without a country code: Russia, if they can be Russian."""
    if digits[0] == "0":
        return country_of_trunk_zero(digits)
    if digits[0] in "34789":
        return RUSSIA
    return "1" if plan_fit("1" + digits) == VALID else ""


def country_of_trunk_zero(digits: str) -> str:
    for country in _TRUNK_COUNTRIES:
        if plan_fit(country + digits[1:]) == VALID:
            return country
    return ""


def international_number(digits: str, *, has_plus: bool) -> str | None:
    """The digits of one phone, beginning with its calling code; None if they are no phone."""
    if has_plus or digits.startswith("00"):
        number = digits.removeprefix("00")
        return number if 8 <= len(number) <= 15 and country_of(number) else None
    if len(digits) == 11 and digits[0] in "78":
        return RUSSIA + digits[1:]
    if len(digits) == 10 and (country := default_country(digits)):
        return country + digits.removeprefix("0")
    return digits if len(digits) <= 15 and plan_fit(digits) == VALID else None


def country_of(number: str) -> str:
    """The calling code of an international number. No code is the beginning of another."""
    if number[:1] in {"1", RUSSIA}:
        return number[0]
    return next((number[:n] for n in (2, 3) if int(number[:n] or 0) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), "")


@lru_cache(maxsize=4096)  # a page repeats its phones; they stay in memory and end with the process
def plan_fit(number: str) -> int:
    """How well the digits of an international number fit its country's numbering plan."""
    if number.startswith("79") and len(number) == 11:  # the most common phone here needs no library
        return VALID
    country = country_of(number)
    national = number[len(country) :]
    if country not in {"", "39"}:  # the zero in `+44 (0)20` is dropped; in Italy it belongs to the number
        national = national.removeprefix("0")
    if not country or not national:
        return INVALID
    candidate = phonenumbers.PhoneNumber(
        country_code=int(country), national_number=int(national), italian_leading_zero=national[0] == "0"
    )
    if phonenumbers.is_valid_number(candidate):
        return VALID
    return POSSIBLE if phonenumbers.is_possible_number(candidate) else INVALID
