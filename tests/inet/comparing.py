"""What Postfix and postfix-mta-sts-resolver do with the same domains, held
against scenarios.txt; differences.txt has where they may not agree."""
import concurrent.futures
import json
import os
import re
import subprocess
import time

import judging
import net
import others

HERE = os.path.dirname(os.path.abspath(__file__))
# Of time for what is tried in the clear when it comes round again.
SECOND_ROUND_S = 8


def rcpt_of(scenario):
    return "pat@" + scenario.domain


def demanded(outcome):
    """The words that Postfix's log could have for it."""
    words = set()
    for kind in outcome.kinds:
        words |= {"unsent": {"defer", "bounce"}, "pkix": {"proven"},
                  "dane": {"proven"}}.get(kind, {kind})
    return words


class Differences:
    """The list, and what of it was seen."""

    def __init__(self, path=os.path.join(HERE, "differences.txt")):
        self.listed = others.read_differences(path)
        self.seen = set()

    def judge(self, who, scenario, got):
        """What is wrong with that word for the scenario."""
        if got in demanded(scenario.outcome):
            return []
        self.seen.add((who, scenario.key))
        listed = self.listed.get((who, scenario.key))
        if listed == (scenario.outcome.text, got):
            return []
        return [f"{who}: demanded {scenario.outcome.text}, got {got}: not "
                f"listed"]

    def unseen(self, who):
        return [f"{who}: {key} is listed, and there is no difference"
                for by, key in self.listed
                if by == who and (by, key) not in self.seen]


def postfix(world, count, differences):
    """All that it knows of: neither REQUIRETLS nor TLS-Required."""
    scenarios = [s for s in world.scenarios if not s.asks]
    folder, cache = world.folder, world.args.cache
    anchor = world.certificates.anchor
    with others.StsResolver(folder + "/sts-resolver", cache, anchor), \
            others.Postfix(folder + "/postfix", cache, anchor) as p:
        others.submit(scenarios, rcpt_of)
        others.results(p.log, [rcpt_of(s) for s in scenarios], 60)
        time.sleep(SECOND_ROUND_S)
        results = others.Results(p.log)
    for s in scenarios:
        count.row(f"Postfix {s.key}", differences.judge(
            "Postfix", s, _word(world, s, results)))
    count.row("Postfix's differences", differences.unseen("Postfix"))


def _mapped_rcpt_of(scenario):
    return "map@" + scenario.domain


def mapped(world, count, differences):
    """Postfix with onward-socketmap in that place: RFC 8461 as far as Postfix
    can be brought to it, DANE before it, and senders rewritten."""
    who = "Postfix with onward-socketmap"
    # A minute's wait for a slow host is left out: "slow" has it.
    scenarios = [s for s in world.scenarios
                 if not s.asks and not s.policy.has("http-slow")]
    folder, args = world.folder, world.args
    anchor = world.certificates.anchor
    with others.Socketmap(args.socketmap, folder + "/socketmap", anchor,
                          world.dns.anchor), \
            others.Postfix(folder + "/mapped", args.cache, anchor,
                           others.MAPPED_PORT, others.OUR_MAPS) as p:
        others.submit(scenarios, _mapped_rcpt_of, others.MAPPED_PORT)
        rewritten = next(s for s in scenarios if s.key == "sts.sec")
        others.submit([rewritten], lambda s: "srs@" + s.domain,
                      others.MAPPED_PORT, "ann@tls.sec.example")
        others.results(p.log, [_mapped_rcpt_of(s) for s in scenarios] +
                       ["srs@" + rewritten.domain], 60)
        time.sleep(SECOND_ROUND_S)
        results = others.Results(p.log)
    for s in scenarios:
        count.row(f"{who} {s.key}", differences.judge(
            who, s, _word(world, s, results, _mapped_rcpt_of(s))))
    count.row(f"{who}: differences", differences.unseen(who))
    heard = [(mail[0], mail[1].split(" ")[1]) for _, mail in
             world.farm.transactions("srs@" + rewritten.domain)]
    good = len(heard) == 1 and heard[0][0] and re.fullmatch(
        r"FROM:<SRS0=[^=]+=[^=]+=tls\.sec\.example=ann@srs\.sec\.example>",
        heard[0][1])
    count.row(f"{who}: a sender and a policy",
              [] if good and results.word("srs@" + rewritten.domain) ==
              "proven" else [f"heard {heard}"])


def _word(world, scenario, results, rcpt=None):
    """With the host behind it where it is not the demanded one."""
    rcpt = rcpt or rcpt_of(scenario)
    word = str(results.word(rcpt))
    want = judging.host_of(scenario, world.hosts)
    for talk, mail in world.farm.transactions(rcpt):
        if mail[3] is not None and want and talk.host is not want:
            return f"{word} {talk.host.key}"
    return word


def _policy_of(world, scenario):
    """"enforce" or "none", by the tool."""
    got = subprocess.run(
        [world.args.onward, "mta-sts", "check", "--json", "--resolver",
         net.PLAIN, "--anchor", world.dns.anchor, "--trust",
         world.certificates.anchor, scenario.domain],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False)
    try:
        facts = json.loads(got.stdout)
    except ValueError:
        return f"{got.returncode} {got.stdout} {got.stderr}"
    return "enforce" if facts["mode"] == "enforce" else "none"


def _published(policy):
    """What RFC 8461 makes of it: a fault of any kind is no policy."""
    faults = set(policy.words) - {"txt-cname", "host-policyd"}
    return "enforce" if policy.mode == "enforce" and not faults else "none"


def policies(world, count, differences):
    """`onward mta-sts check` and postfix-mta-sts-resolver: is there a policy
    to enforce? A minute's wait for a slow host is left out."""
    who = "postfix-mta-sts-resolver"
    scenarios = [s for s in world.scenarios
                 if s.policy.mode and not s.policy.has("http-slow")]
    with others.StsResolver(world.folder + "/sts-verdicts", world.args.cache,
                            world.certificates.anchor), \
            concurrent.futures.ThreadPoolExecutor(8) as pool:
        ours = dict(zip(scenarios, pool.map(
            lambda s: _policy_of(world, s), scenarios)))
        theirs = {s: "enforce" if others.StsResolver.verdict(s.domain)
                  else "none" for s in scenarios}
    for s in scenarios:
        faults = []
        if ours[s] != _published(s.policy):
            faults = [f"onward mta-sts check says {ours[s]}"]
        if ours[s] != theirs[s]:
            differences.seen.add((who, s.key))
            if differences.listed.get((who, s.key)) != (ours[s], theirs[s]):
                faults.append(f"we say {ours[s]}, {who} {theirs[s]}: not "
                              "listed")
        count.row(f"{who} {s.key}", faults)
    count.row(f"{who}'s differences", differences.unseen(who))
