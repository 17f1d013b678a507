# SPDX-License-Identifier: Apache-2.0
"""
What a routed request may come to, worked out from the config in the plainest way: a set of outcomes, several only where
a draw decides. Written from the contract alone, to be compared with the gateway.

A leaf's model name says how the upstream treats it, call by call: "s500.s200-17" answers 500, then 200 for ever. The
letters: sNNN a status, d an answer that comes after every time-out, r a reset, x an answer that is cut.
"""

from dataclasses import dataclass

RETRY_CODES = (429, 500, 502, 503, 504, 529)
TIMED_OUT, BROKEN = 408, 500
NO_TARGET = "Query router did not resolve to any valid target"
INHERITED = ("retry", "request_timeout")


@dataclass(frozen=True)
class Outcome:
    status: int
    path: str = ""
    retries: int = 0
    who: str = ""            # the model whose answer it is
    kind: str = "answer"     # answer, timeout, broken, cut, refused
    calls: frozenset = frozenset()  # (model, calls)
    params: tuple = ()       # what the body had


def behaviour(model, call):
    steps = model.rsplit("-", 1)[0].split(".")
    return steps[min(call, len(steps) - 1)]


def status_of(step, has_timeout):
    """(status, kind) of one call."""
    if step[0] == "s":
        return int(step[1:]), "answer"
    if step == "d":
        return (TIMED_OUT, "timeout") if has_timeout else (200, "answer")
    return (BROKEN, "broken") if step == "r" else (200, "cut")


def inherit(node, above):
    """What holds for a node: its own members over its parent's; override_params member by member."""
    held = {name: node.get(name, above.get(name)) for name in INHERITED}
    held["override_params"] = {**(above.get("override_params") or {}), **(node.get("override_params") or {})}
    return held


def leaf(path, held, streamed):
    params = dict(held["override_params"])
    model = params.pop("model")
    retry = held["retry"] or {"attempts": 0}
    codes = retry.get("on_status_codes") or RETRY_CODES
    limit = min(retry["attempts"], 5)
    call = 0
    while True:
        status, kind = status_of(behaviour(model, call), held["request_timeout"])
        if kind == "cut" and not streamed:
            status, kind = BROKEN, "broken"
        again = limit > 0 and status in codes and kind != "cut"
        if not again or call == limit:
            break
        call += 1
    return Outcome(status, path, -1 if again else call, model, kind, frozenset({(model, call + 1)}), tuple(sorted(params.items())))


def goes_on(strategy, outcome):
    if outcome.kind in ("refused", "cut"):
        return False
    codes = strategy.get("on_status_codes")
    return outcome.status in codes if codes else not 200 <= outcome.status <= 299


def holds(query, metadata):
    for key, wanted in query.items():
        value = metadata.get(key.removeprefix("metadata."))
        if isinstance(wanted, dict):
            (operator, operand), = wanted.items()
            good = {"$eq": lambda: value == operand, "$ne": lambda: value != operand,
                    "$in": lambda: value in operand, "$nin": lambda: value not in operand}[operator]()
        else:
            good = value == wanted
        if not good:
            return False
    return True


def chosen(node, metadata):
    """The index of a conditional's target, or None."""
    strategy = node["strategy"]
    for condition in strategy["conditions"]:
        if holds(condition["query"], metadata):
            name = condition["then"]
            break
    else:
        name = strategy.get("default")
    return next((i for i, t in enumerate(node["targets"]) if t.get("name") == name), None) if name else None


def outcomes(node, metadata, streamed=False, path="config", above=None):
    """The set of all that may come of a node."""
    held = inherit(node, above or {})
    if "targets" not in node:
        return {leaf(path, held, streamed)}
    strategy, targets = node["strategy"], node["targets"]

    def of(i):
        return outcomes(targets[i], metadata, streamed, f"{path}.targets[{i}]", held)
    mode = strategy["mode"]
    if mode == "single":
        return of(0)
    if mode == "loadbalance":
        return {o for i, t in enumerate(targets) if t.get("weight", 1) > 0 for o in of(i)}
    if mode == "conditional":
        i = chosen(node, metadata)
        return of(i) if i is not None else {Outcome(400, kind="refused", who=NO_TARGET)}
    ended, alive = set(), of(0)
    for i in range(1, len(targets)):
        failed = {o for o in alive if goes_on(strategy, o)}
        ended |= alive - failed
        alive = {join(f, o) for f in failed for o in of(i)} if failed else set()
    return ended | alive


def join(failed, then):
    """The later outcome, with the calls of both."""
    return Outcome(then.status, then.path, then.retries, then.who, then.kind, failed.calls | then.calls, then.params)


def attempts_max(node, above=None):
    """Calls upstream at worst."""
    held = inherit(node, above or {})
    if "targets" not in node:
        return 1 + min((held["retry"] or {"attempts": 0})["attempts"], 5)
    each = [attempts_max(t, held) for t in node["targets"]]
    return sum(each) if node["strategy"]["mode"] == "fallback" else max(each)
