"""`onward egress` tells the plan for each domain of the table: it demands what
the forwarder then did. `onward doctor` finds what is wrong with it."""
import concurrent.futures
import json
import subprocess

import net

ASKS = {"": [], "requiretls": ["--require-tls"], "tls-no": ["--tls-optional"]}
PROVEN = {"dane", "verified"}
# The level that a plan has for a host where mail went so.
LEVELS = {"dane": {"dane"}, "pkix": PROVEN, "plain": {"opportunistic"},
          "tls": {"opportunistic", "encrypted"}}


def plan_of(world, scenario):
    got = subprocess.run(
        [world.args.onward, "egress", "--json", *ASKS[scenario.asks],
         "--resolver", net.PLAIN, "--anchor", world.dns.anchor, "--trust",
         world.certificates.anchor, scenario.domain],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
        check=False)
    if got.returncode != 0:
        return {"fault": f"{got.returncode} {got.stderr}"}
    return json.loads(got.stdout)


def is_policy_matter(scenario):
    """Was it kept back by what the domain demands?"""
    return any({"tlsa", "sts"} & types for types, _ in scenario.report)


def judge(scenario, plan):
    """What is wrong with a plan, [] if nothing is."""
    if "fault" in plan:
        return [plan["fault"]]
    outcome = scenario.outcome
    used = {s["host"]: s["tls"] for s in plan["servers"] if s["use"] == "yes"}
    if outcome.host:
        allowed = set().union(*(LEVELS[k] for k in outcome.kinds
                                if k in LEVELS))
        level = used.get(outcome.host)
        if level in allowed or (level is None and "defer" in outcome.kinds):
            return []
        return [f"{outcome.host} is planned with {level}, expected {allowed}"]
    weak = [h for h, level in used.items() if level == "opportunistic"]
    if outcome.kinds == ["defer"] and is_policy_matter(scenario) and weak:
        return [f"nothing is demanded of {weak}"]
    if not used and not plan["result"]:
        return ["neither a server nor a result"]
    if outcome.kinds == ["defer"] and plan["result"] and \
            not 400 <= plan["result"]["code"] < 500:
        return [f"{plan['result']}, expected something for now"]
    if outcome.enhanced and plan["result"] and \
            plan["result"]["enhanced"] not in outcome.enhanced:
        return [f"{plan['result']}, expected {outcome.enhanced}"]
    return []


# What the doctor calls what is wrong with a policy.
CODES = {"txt-two": "many-records", "txt-bad": "void", "host-none": "no-host",
         "host-refused": "connect", "host-private": "address",
         "cert-expired": "tls", "cert-other": "tls", "cert-self": "tls",
         "http-404": "status", "http-500": "status", "http-redirect": "status",
         "http-large": "too-long", "http-html": "media-type",
         "http-gzip": "encoding", "http-cut": "cut",
         "policy-version": "bad-policy", "policy-mode": "bad-policy",
         "policy-no-mx": "bad-policy"}
STATUS = {"ok": 0, "note": 0, "warning": 4, "unknown": 3, "error": 1}


def findings_of(world, scenario):
    got = subprocess.run(
        [world.args.onward, "doctor", "--json", "--resolver", net.PLAIN,
         "--anchor", world.dns.anchor, "--trust", world.certificates.anchor,
         scenario.domain],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
        check=False)
    try:
        said = json.loads(got.stdout)
    except ValueError:
        return {"fault": f"{got.returncode} {got.stdout!r} {got.stderr!r}"}
    if got.returncode != STATUS[said["worst"]]:
        return {"fault": f"{got.returncode} for {said['worst']}"}
    return said


def judge_findings(scenario, said):
    if "fault" in said:
        return [said["fault"]]
    there = {(f["check"], f["code"]) for f in said["findings"]}
    outcome = scenario.outcome
    wanted = [("mta-sts", code) for word, code in CODES.items()
              if scenario.policy.has(word)]
    if outcome.kinds == ["dane"] and not any(
            f["check"] == "dane" and f["name"].startswith(outcome.host)
            and f["severity"] in ("ok", "warning") for f in said["findings"]):
        return [f"nothing of DANE at {outcome.host}: {said['findings']}"]
    return [f"no {one}: {said['findings']}" for one in wanted
            if one not in there]


def run(world, count):
    scenarios = [s for s in world.scenarios if not s.policy.has("http-slow")]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for s, plan in zip(scenarios, pool.map(
                lambda s: plan_of(world, s), scenarios)):
            count.row(f"onward egress {s.key}", judge(s, plan))
        for s, said in zip(scenarios, pool.map(
                lambda s: findings_of(world, s), scenarios)):
            count.row(f"onward doctor {s.key}", judge_findings(s, said))
