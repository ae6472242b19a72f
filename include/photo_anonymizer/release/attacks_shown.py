"""What the report shows of the attacks: every recogniser's figures, and its distances as a drawing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from photo_anonymizer.model.measurement import AtFar, ByPerson, FolderCheck, Rate
from photo_anonymizer.reid.identities import ALIKE_ACROSS, ALIKE_WITHIN

_FURTHER = ("linked", "verification", "rank1")
"""By what it is decided which recogniser went furthest."""


@dataclass(frozen=True)
class Reading:
    """One attack as the report shows it. A broken recogniser's rates are none at all."""

    recogniser: str
    threshold: float
    faces: int
    verification: Rate
    """Within the threshold of their own original."""
    linked: Rate
    """Of these, nearer to it than an empty picture is."""
    control: Rate
    """Originals that the recogniser knows in the mirror."""
    rank1: Rate
    rank5: Rate
    rank10: Rate
    by_person: ByPerson | None
    """Rank-1 by person."""
    mirror_rank1: Rate
    """Originals that are the nearest of all to their mirror image."""
    at_far: tuple[tuple[AtFar, AtFar], ...]
    """The same false accept rate on originals and mirror images, and on originals and published faces."""
    degenerate: bool
    resemblance: Rate | None
    """Faces taken for another person of the run; chance is what originals reach."""
    strangers_within: float | None
    """Share of pairs of different photos' originals that the recogniser takes for the same person."""

    @property
    def no_better_than_empty(self) -> int:
        """Faces within the threshold of an original to which an empty picture is as near."""
        return self.verification.hits - self.linked.hits

    @property
    def above_chance(self) -> bool:
        """Does the whole interval of rank-1 lie above guessing?"""
        return (self.rank1.low_excess or 0) > 0


def reading(attack: Mapping[str, Any]) -> Reading:
    """What the report says about one attack."""
    broken = bool(attack["degenerate"])

    def rate(found: Mapping[str, Any]) -> Rate:
        known = Rate.model_validate(found)
        return Rate.unknown(known.n, known.chance) if broken else known

    def at_far(found: Mapping[str, Any]) -> AtFar:
        return AtFar.model_validate({**found, "accepted": rate(found["accepted"]).model_dump()})

    return Reading(
        recogniser=attack["recogniser"],
        threshold=round(attack["threshold"], 3),
        faces=int(attack["linked"]["n"]),
        verification=rate(attack["verification"]),
        linked=rate(attack["linked"]),
        control=rate(attack["control"]),
        rank1=rate(attack["rank1"]),
        rank5=rate(attack["rank5"]),
        rank10=rate(attack["rank10"]),
        by_person=ByPerson.model_validate(people) if (people := attack["rank1_by_person"]) and not broken else None,
        mirror_rank1=rate(attack["quality"]["rank1"]),
        at_far=tuple(
            (at_far(own), at_far(found))
            for own, found in zip(attack["quality"]["at_far"], attack["at_far"], strict=True)
        ),
        degenerate=broken,
        resemblance=rate(found["published"]) if (found := attack.get("resemblance")) else None,
        strangers_within=None if broken else share_within(attack, attack["strangers"]),
    )


@dataclass(frozen=True)
class Panel:
    """One recogniser: its attack before and after escalation, and whether it counts as a test."""

    before: Reading
    published: Reading
    shape: Histogram | None
    counts: bool
    why_not: str
    control_rate: float | None
    """With photos that were taken over."""

    @property
    def name(self) -> str:
        """The recogniser's."""
        return self.published.recogniser


def panels(evidence: Mapping[str, Any]) -> list[Panel]:
    """All recognisers, in the order of the configuration."""
    before, after = (evidence[when]["by_recogniser"] for when in ("before_escalation", "published"))
    return [
        Panel(
            before=reading(before[item["recogniser"]]),
            published=reading(after[item["recogniser"]]),
            shape=histogram(after[item["recogniser"]]),
            counts=item["counts"],
            why_not=item["why_not"],
            control_rate=item["control_rate"],
        )
        for item in evidence["recognisers"]
    ]


def leading(shown: Sequence[Panel]) -> Panel:
    """The recogniser that went furthest, of those that count as a test if any do; the first of equals."""
    counting = [panel for panel in shown if panel.counts] or shown
    return max(counting, key=lambda panel: [getattr(panel.published, name).hits for name in _FURTHER])


def outcome(evidence: Mapping[str, Any], shown: Sequence[Panel]) -> str:
    """``nothing`` was attacked, some faces are ``linked``, or none: then they are ``clear``, or the test is ``broken``
    because no recogniser counts as one."""
    match = evidence["published"]["linked"]
    if not match["n"]:
        return "nothing"
    if match["hits"]:
        return "linked"
    return "clear" if any(panel.counts for panel in shown) else "broken"


def overall(evidence: Mapping[str, Any], when: str, shown: Sequence[Panel]) -> Rate:
    """Faces that any recogniser links; no rate where that is silence of recognisers that count as no test.

    :param when: ``before_escalation`` or ``published``.
    """
    found = Rate.model_validate(evidence[when]["linked"])
    if found.hits or any(panel.counts for panel in shown):
        return found
    return Rate.unknown(found.n)


@dataclass(frozen=True)
class GroupRow:
    """One group of faces, and what the recogniser found that went furthest."""

    kind: str
    group: str
    linked: Rate
    rank1: Rate


def group_rows(evidence: Mapping[str, Any]) -> list[GroupRow]:
    """The groups that are large enough, in their order, as the leading recogniser sees them."""
    lead = leading(panels(evidence))
    groups = {} if lead.published.degenerate else evidence["published"]["by_recogniser"][lead.name]["groups"]
    return [
        GroupRow(kind.replace("_", " "), group, Rate.model_validate(row["linked"]), Rate.model_validate(row["rank1"]))
        for kind, rows in groups.items()
        for group, row in rows.items()
    ]


NAMES = {
    "naive": "A0, the same photo",
    "cross_photo": "A1, other photos of the person",
    "restoration": "A3, after filters that try to undo the change",
}
"""Attacks of the gate as people read them, in the order of the threat model."""
ASKED = {"A0": "same photo", "A1": "other photos"}
FILTERS = {
    "wiener": "Wiener’s filter",
    "total_variation": "total variation",
    "super_resolution": "super-resolution by interpolation",
}


def attacks_made(evidence: Mapping[str, Any]) -> list[str]:
    """Names of the attacks that were really made: those that found a published face that they can be made on."""
    published = evidence["published"]
    made = {one["attack"] for one in published["further"] if one["linked"]["n"]}
    return [name for name in NAMES if name in made or (name == "naive" and published["linked"]["n"])]


@dataclass(frozen=True)
class LinkedBy:
    """Faces that one attack links, in any of its forms and by any recogniser."""

    attack: str
    before: Rate
    """On the first attempt."""
    published: Rate


def linked_by(evidence: Mapping[str, Any]) -> list[LinkedBy]:
    """Every attack of the gate; nothing where only one was asked for."""
    before, after = (evidence[when]["by_attack"] for when in ("before_escalation", "published"))
    names = [name for name in NAMES if name in before and name in after]
    if len(names) < 2:
        return []
    return [
        LinkedBy(NAMES[name], Rate.model_validate(before[name]), Rate.model_validate(after[name])) for name in names
    ]


@dataclass(frozen=True)
class AttackRow:
    """One form of one attack by one recogniser. A broken recogniser's rates are none at all."""

    heading: str
    """The attack or, where it has several, what was done first."""
    asked: str
    """Which originals were asked."""
    recogniser: str
    before: Rate | None
    """Linked on the first attempt; ``None`` where the attack was not made then."""
    linked: Rate
    rank1: Rate


def attack_rows(evidence: Mapping[str, Any]) -> list[AttackRow]:
    """Every attack on what is published, in the order of the threat model; filters together, then by recogniser."""
    before, published = evidence["before_escalation"], evidence["published"]
    first = {name: reading(attack).linked for name, attack in before["by_recogniser"].items()}
    naive = [reading(attack) for attack in published["by_recogniser"].values()]
    rows = [
        AttackRow(NAMES["naive"], ASKED["A0"], one.recogniser, first.get(one.recogniser), one.linked, one.rank1)
        for one in naive
    ]
    at_first = {_form_of(one): _rates(one)[0] for one in before["further"]}
    for one in sorted(published["further"], key=_place(published["further"])):
        rows.append(AttackRow(_heading(one), _asked(one), one["recogniser"], at_first.get(_form_of(one)), *_rates(one)))
    return rows


def _form_of(one: Mapping[str, Any]) -> tuple[str, str, str]:
    return one["attack"], one["form"], one["recogniser"]


def _place(every: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], tuple[int, int]]:
    """Attacks as they are documented, forms as they were made."""
    forms = list(dict.fromkeys(one["form"] for one in every))
    return lambda one: (list(NAMES).index(one["attack"]), forms.index(one["form"]))


def _rates(one: Mapping[str, Any]) -> tuple[Rate, Rate]:
    """Linked and rank 1."""
    found = Rate.model_validate(one["linked"]), Rate.model_validate(one["rank1"])
    if not one["degenerate"]:
        return found
    linked, rank1 = (Rate.unknown(rate.n, rate.chance) for rate in found)
    return linked, rank1


def _heading(one: Mapping[str, Any]) -> str:
    """``A3, after Wiener’s filter, setting 2``; every restorer may have several settings."""
    if one["attack"] != "restoration":
        return NAMES[one["attack"]]
    name, _, setting = one["form"].partition(", then ")[0].partition(" ")
    words = FILTERS.get(name, name.replace("_", " "))
    return f"A3, after {words}" + (f", setting {setting}" if setting else "")


def _asked(one: Mapping[str, Any]) -> str:
    return ASKED[one["form"].rpartition(" ")[2]]


def identities_in_words(evidence: Mapping[str, Any]) -> str:
    """Who said who is the same person, why not the folders, and how that may mislead."""
    published = evidence["published"]
    said = {
        "folders": "Who is the same person say the folders of the source.",
        "estimated": "Who is the same person is estimated: a recogniser grouped the originals.",
    }.get(published["identities"], "Who is the same person could not be told, so that A1 was not made.")
    return " ".join(filter(None, [said, *(_estimated(published) if published["identities"] == "estimated" else ())]))


def _estimated(published: Mapping[str, Any]) -> Iterator[str]:
    if published["folders"]:
        yield _no_people(FolderCheck.model_validate(published["folders"]))
    yield "A person whom it splits makes the attack look weaker."
    yield "People whom it takes for one make links that are none, and raise chance."
    if published["largest_person"]:
        yield (
            f"The person with most faces has {published['largest_person']:,}; if that is too many, people were taken "
            "for one."
        )


def _no_people(check: FolderCheck) -> str:
    """Why the source's folders are not taken for people."""
    if not check.within or not check.across:
        return "The folders are not taken for people: no two faces lie in one of them, or none in two."
    within, across = (f"{share * 100:.0f}\u00a0%" for share in (ALIKE_WITHIN, ALIKE_ACROSS))
    return (
        f"The folders are not taken for people: {check.within_alike:,} of {check.within:,} pairs of faces in one "
        f"folder are alike (at least {within} should be), and {check.across_alike:,} of {check.across:,} pairs of two "
        f"folders (at most {across})."
    )


@dataclass(frozen=True)
class Untried:
    """Something that this release's evidence does not cover."""

    title: str
    text: str


def untried(evidence: Mapping[str, Any]) -> list[Untried]:
    """What attackers may do that was not done here; what was done is never among it."""
    made = attacks_made(evidence)
    return [_attacks(evidence, made), *_other_photos(evidence, made), *_restoration(made), _learning(evidence)]


def _attacks(evidence: Mapping[str, Any], made: Sequence[str]) -> Untried:
    if not made:
        return Untried("No attack.", "No published face was attacked.")
    names = "; ".join(NAMES[name] for name in made)
    recognisers = ", ".join(item["recogniser"] for item in evidence["recognisers"])
    title = "One attack." if len(made) == 1 else "These attacks only."
    others = ", photos that are not in this run" if "cross_photo" in made else ""
    return Untried(
        title,
        f"Made: {names}. By: {recognisers}. Not tried: other recognisers{others}, and people who know who is shown.",
    )


def _other_photos(evidence: Mapping[str, Any], made: Sequence[str]) -> list[Untried]:
    if "cross_photo" in made:
        return []
    why = " None was found for any face." if "cross_photo" in evidence["published"]["by_attack"] else ""
    return [Untried("No other photos.", f"Published faces were not compared with other photos of the person.{why}")]


def _restoration(made: Sequence[str]) -> list[Untried]:
    if "restoration" in made:
        text = "In this run, filters with fixed settings tried to undo the change; none learned from pairs of faces."
        return [Untried("Restoration by filters only.", text)]
    text = "The published faces were not deblurred, upscaled or reconstructed before the attack."
    return [Untried("No restoration.", text)]


def heavy_known(evidence: Mapping[str, Any]) -> bool:
    """Did the gate have a result of attacks that learn?"""
    return evidence["aggregates"]["heavy_excess"] is not None


def _learning(evidence: Mapping[str, Any]) -> Untried:
    if heavy_known(evidence):
        text = "Attacks that learn were made before, on a sample with this method and its settings; not on this run."
        return Untried("Learning on a sample only.", text)
    text = "No recogniser was retrained on faces changed in the same way (parrot attack), which can beat weak methods."
    return Untried("No attack that learns.", text)


def resistance(evidence: Mapping[str, Any]) -> str:
    """The same as one phrase: against what nothing was shown."""
    made = attacks_made(evidence)
    against = ["other recognisers"]
    against += [] if "cross_photo" in made else ["other photos of the people"]
    against += ["restoration that learns" if "restoration" in made else "restoration"]
    beyond = ", beyond the sample that was attacked so" if heavy_known(evidence) else ""
    return f"{', '.join(against)}, or a recogniser trained on changed faces{beyond}"


# histogram


@dataclass(frozen=True)
class Plot:
    """Size of the drawing and the frame that the bars stand in, in SVG units."""

    width: int = 720
    height: int = 330
    left: int = 58
    right: int = 704
    top: int = 58
    bottom: int = 276


PLOT = Plot()


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Histogram:
    """Distances as an SVG needs them: shares of each group by bin."""

    bars: tuple[tuple[float, float, float, float], ...]
    """(x, y, width, height) of each bar of published faces against their own originals."""
    outline: str
    """Path of originals against originals of other photos; empty when there is no such pair."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    threshold_x: float
    faces: int
    plot: Plot = PLOT


def histogram(attack: Mapping[str, Any]) -> Histogram | None:
    """The drawing of one attack's distances, or ``None`` when nothing was measured."""
    own, others = _shares(attack["same_photo"]), _shares(attack["strangers"])
    if not any(own):
        return None
    edges = attack["histogram_edges"]
    end = _end(edges, own, others, attack["threshold"])
    top, y_ticks = _y_axis(max(*own, *others))

    def across(distance: float) -> float:
        return round(PLOT.left + (PLOT.right - PLOT.left) * distance / end, 2)

    def up(share: float) -> float:
        return round(PLOT.bottom - (PLOT.bottom - PLOT.top) * share / top, 2)

    left, right = [across(edge) for edge in edges[:-1]], [across(edge) for edge in edges[1:]]
    return Histogram(
        bars=tuple(
            (x0, up(share), round(x1 - x0, 2), round(PLOT.bottom - up(share), 2))
            for x0, x1, share in zip(left, right, own, strict=True)
            if share
        ),
        outline=_outline(left, right, [up(share) for share in others]) if any(others) else "",
        x_ticks=tuple(Tick(across(step / 5), f"{step / 5:.1f}") for step in range(round(end * 5) + 1)),
        y_ticks=tuple(Tick(up(share), f"{share * 100:.0f}") for share in y_ticks),
        threshold_x=across(attack["threshold"]),
        faces=sum(attack["same_photo"]),
    )


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _end(edges: Sequence[float], own: Sequence[float], others: Sequence[float], threshold: float) -> float:
    """Where the distance axis ends: behind the last bar and the threshold, on a multiple of 0.2."""
    used = [edge for edge, a, b in zip(edges[1:], own, others, strict=True) if a or b]
    return min(float(edges[-1]), math.ceil(max(*used, threshold + 0.4, 1.0) * 5 - 1e-9) / 5)


def _y_axis(most: float) -> tuple[float, list[float]]:
    """The axis' end and its marks: at most five steps."""
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if most <= step * 5 - 1e-9 or step == 0.25)
    steps = math.ceil(most / step - 1e-9)
    return steps * step, [place * step for place in range(steps + 1)]


def _outline(left: Sequence[float], right: Sequence[float], heights: Sequence[float]) -> str:
    used = [place for place, height in enumerate(heights) if height < PLOT.bottom]
    first, last = used[0], used[-1]
    steps = [f"V{heights[place]}H{right[place]}" for place in range(first, last + 1)]
    return f"M{left[first]} {PLOT.bottom}{''.join(steps)}V{PLOT.bottom}"


def share_within(attack: Mapping[str, Any], counts: Sequence[int]) -> float | None:
    """Share of the counted distances in bins up to the threshold; ``None`` when nothing was counted."""
    ends = attack["histogram_edges"][1:]
    within = sum(count for end, count in zip(ends, counts, strict=True) if end <= attack["threshold"] + 1e-9)
    return within / sum(counts) if sum(counts) else None
