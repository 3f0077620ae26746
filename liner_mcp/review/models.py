"""The model of a review: who it is, where it is, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from genai_prices import calc_price
from genai_prices.types import PriceCalculation
from pydantic_ai import RunUsage
from pydantic_ai.models import Model, infer_model

from liner_mcp.errors import UsageError
from liner_mcp.urls import https_address, parse_url

CHARACTERS_PER_TOKEN = 3  # of Russian text; English has four, so the estimate is rather too high
_KEY = re.compile(r"[A-Z][A-Z0-9_]*_(?:API_KEY|TOKEN)\b")  # the variable that a message about a missing key names
TOKENS_PER_VERDICT = 60  # with its quote


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens of input and of output."""

    input: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class ReviewModel:
    """A model, its name on scorecards, and the price that was given for it."""

    model: Model
    name: str
    price: Price | None = None

    @property
    def address(self) -> str:
        """Where summaries are sent."""
        return self.model.base_url or f"the endpoint of {self.model.system}"

    def cost(self, usage: RunUsage) -> Decimal | None:
        """US dollars; None where the price of the model is unknown."""
        if self.price is not None:
            tokens = usage.input_tokens * self.price.input + usage.output_tokens * self.price.output
            return tokens / 1_000_000
        address, vendor = self.model.base_url, self.model.system
        try:
            known: PriceCalculation = (
                calc_price(usage, self.model.model_name, provider_api_url=address)
                if address
                else calc_price(usage, self.model.model_name, provider_id=vendor)
            )
        except (LookupError, ValueError):
            return None
        return known.total_price

    def estimate(self, prompt_characters: int, criteria: int) -> RunUsage:
        """About what one call will use."""
        return RunUsage(
            input_tokens=-(-prompt_characters // CHARACTERS_PER_TOKEN), output_tokens=criteria * TOKENS_PER_VERDICT
        )


def open_model(name: str, base_url: str | None, price: str | None) -> ReviewModel:
    """The model of `--model VENDOR:NAME`, at `--base-url` if given. The API key is in the vendor's variable.

    Raises: UsageError.
    """
    given = _price(price) if price is not None else None
    if base_url is None:
        return ReviewModel(_guarded(lambda: infer_model(name)), name, given)
    vendor, colon, model_name = name.partition(":")
    if vendor != "openai" and colon:
        raise UsageError("--base-url: it is for endpoints compatible with OpenAI's; write --model openai:NAME.")
    try:
        address = https_address(base_url.strip(), "https://models.example.com/v1")
    except ValueError as error:
        raise UsageError(f"--base-url: {error}.") from None
    url = parse_url(address)
    host = url.netloc if url else address

    def make() -> Model:
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        return OpenAIChatModel(model_name or vendor, provider=OpenAIProvider(base_url=address))

    return ReviewModel(_guarded(make), f"openai:{model_name or vendor}@{host}", given)


def _guarded(make: Callable[[], Model]) -> Model:
    try:
        model = make()
    except Exception as error:  # noqa: BLE001 - an unknown model, a missing key or package: vendors raise what they like
        why = " ".join(str(error).split())
        variable = _KEY.search(why)
        if variable is not None:  # the packages write for programmers
            raise UsageError(f"--model: {variable[0]} is not set; it needs the API key of the model.") from None
        raise UsageError(f"--model: {why.rstrip('.?')}.") from None
    client: Any = getattr(model, "client", None)
    if hasattr(client, "max_retries"):  # the vendors' packages retry too; here the judge does
        client.max_retries = 0
    return model


def _price(text: str) -> Price:
    try:
        each, other = (Decimal(part.strip()) for part in text.split(","))
        if not (each.is_finite() and other.is_finite() and min(each, other) >= 0):
            raise ValueError
    except (ValueError, ArithmeticError):
        raise UsageError("--price: US dollars per million tokens of input and output, such as 0.25,2.") from None
    return Price(each, other)
