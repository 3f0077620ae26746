"""Words without which a text says the opposite, in Russian and English."""

NEGATIONS = frozenset(
    {"не", "нет", "ни", "без", "нельзя", "никогда", "not", "no", "never", "without", "cannot", "neither", "nor"}
)
NEGATION_REACH = 3  # words behind a negation: "не очень хочет", "does not want to"
