"""The ten answers in plain Python: they share nothing with the library."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction

AGE_GROUPS = ["18-24", "25-35", "36-50", "+50"]


def plain_group(age: int | None) -> str | None:
    groups = {"18-24": range(18, 25), "25-35": range(25, 36), "36-50": range(36, 51), "+50": range(51, 121)}
    return next((name for name, ages in groups.items() if age in ages), None)


def tops(counts: dict[tuple, int]) -> list[tuple]:
    """Of rows (group, name) -> number, all with the greatest number of their group."""
    best: dict[object, int] = {}
    for (group, _), number in counts.items():
        best[group] = max(best.get(group, 0), number)
    return [(group, name, number) for (group, name), number in counts.items() if number == best[group]]


def medians(values: Iterator[tuple[object, object]]) -> list[tuple]:
    """Of pairs (group, number), the median of each group whose values are all there."""
    groups = defaultdict(list)
    for group, value in values:
        if value is not None and None not in (group if isinstance(group, tuple) else (group,)):
            groups[group].append(Fraction(value))
    flat = {group if isinstance(group, tuple) else (group,): found for group, found in groups.items()}
    return [(*group, float(statistics.median(found))) for group, found in flat.items()]


def plain_answers(pins: dict, geos: dict, users: dict) -> dict[str, list[tuple]]:
    """Every answer, in the order it must print in."""

    def year(moment: datetime | None, first: int, last: int) -> int | None:
        return moment.year if moment and first <= moment.year <= last else None

    def counted(pairs: Iterator[tuple]) -> Counter[tuple]:
        return Counter(pair for pair in pairs if None not in pair)

    placed = [{**pins[key], **geos[key]} for key in pins if key in geos]
    owned = [{**pins[key], **users[key]} for key in pins if key in users]
    by_year = counted((year(post["timestamp"], 2018, 2022), post["category"]) for post in placed)
    followers: dict[tuple, int] = {}
    for post in placed:
        at = post["country"], post["poster_name"]
        if None not in at and post["follower_count"] is not None:
            followers[at] = max(followers.get(at, 0), post["follower_count"])
    joined = {
        (user["user_name"], user["age"], user["date_joined"])
        for user in users.values()
        if year(user["date_joined"], 2015, 2020)
    }
    grouped = [(plain_group(post["age"]), year(post["date_joined"], 2015, 2020), post) for post in owned]
    answers: dict[str, list[tuple]] = {
        "top_category_by_country": tops(counted((post["country"], post["category"]) for post in placed)),
        "posts_by_category_and_year": [(*pair, number) for pair, number in by_year.items()],
        "top_category_by_year": tops(by_year),
        "top_user_by_country": tops(followers),
        "top_user_country": sorted(
            ((place, most) for (place, _), most in followers.items()), key=lambda pair: (-pair[1], pair[0])
        )[:1],
        "top_category_by_age_group": tops(counted((group, post["category"]) for group, _, post in grouped)),
        "median_followers_by_age_group": medians((group, post["follower_count"]) for group, _, post in grouped),
        "users_joined_by_year": list(Counter(user[2].year for user in joined).items()),
        "median_followers_by_join_year": medians((made, post["follower_count"]) for _, made, post in grouped),
        "median_followers_by_age_group_and_join_year": medians(
            ((group, made), post["follower_count"]) for group, made, post in grouped
        ),
    }
    order = {group: number for number, group in enumerate(AGE_GROUPS)}
    return {name: sorted(rows, key=lambda row: (order.get(row[0], 0), row[:2])) for name, rows in answers.items()}
