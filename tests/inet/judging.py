"""Holds what came of a message against what had to."""


def seen_at(farm, rcpt, since=0):
    """[(talk, is_tls, message or None)] of all transactions for rcpt."""
    return [(talk, mail[0], mail[3])
            for talk, mail in farm.transactions(rcpt, since)]


def happened(farm, scenario, code, since=0):
    """(word, host, family): "plain" or "tls" where it went, "defer", "bounce"
    by the code, "lost" where they do not agree."""
    whole = [(talk, is_tls) for talk, is_tls, data
             in seen_at(farm, scenario.rcpt, since) if data is not None]
    if 200 <= code < 300:
        if len(whole) != 1:
            return f"answered {code} and delivered {len(whole)} times", None, None
        talk, is_tls = whole[0]
        return "tls" if is_tls else "plain", talk.host, talk.family
    if whole:
        return f"answered {code} and delivered", None, None
    return ("defer" if 400 <= code < 500 else
            "bounce" if 500 <= code < 600 else f"code {code}"), None, None


def fits(outcome, word):
    """Is what the wire shows one of the outcomes allowed?"""
    kinds = set(outcome.kinds)
    if word == "tls":
        return bool(kinds & {"tls", "pkix", "dane"})
    if word in ("defer", "bounce") and "unsent" in kinds:
        return True
    return word in kinds


def host_of(scenario, hosts):
    """The hosts, by key, that are allowed to have it."""
    want = scenario.outcome.host
    if want is None:
        return None
    host = next(h for h in hosts.values() if h.name == want)
    while host.alias:
        host = next(h for h in hosts.values() if h.name == host.alias)
    return host


# What the forwarder's log says of why a server was proven so.
REASONS = {"pkix": {"mtasts", "dane-and-mtasts", "requiretls"},
           "dane": {"dane", "dane-and-mtasts", "requiretls"},
           "tls": {"default", "dane-unusable", "mtasts-testing", "optional"},
           "plain": {"default", "mtasts-testing", "optional", "clear"}}


def reasons(outcome, logged):
    """What is wrong with the log's reason of a delivery."""
    allowed = set().union(*(REASONS[k] for k in outcome.kinds if k in REASONS))
    if logged.get("tls_reason") in allowed:
        return []
    return [f"logged {logged.get('tls_reason')} as the reason, expected one of "
            f"{sorted(allowed)}"]


POLICIES = {"tlsa": "tlsa", "sts": "sts", "none": "no-policy-found"}


def reports(scenario, logged):
    """What is wrong with what a TLS report would say of a delivery: all that
    has to be there, nothing else, in any order."""
    got = [line.split(" ")[:2] for line in logged["tls_results"]]
    wanted = [({POLICIES[t] for t in types}, results)
              for types, results in scenario.report]
    left = list(got)
    for types, results in wanted:
        fit = next((g for g in left if g[0] in types and g[1] in results),
                   None)
        if fit is None and "-" in results:
            print(f"note: {scenario.key}: nothing reported: {logged}")
            continue
        if fit is None:
            return [f"reported {logged['tls_results']}, expected "
                    f"{scenario.report}: {logged}"]
        left.remove(fit)
    return [f"reported {logged['tls_results']} too"] if left else []


def judge(farm, hosts, scenario, answer, since=0):
    """What is wrong, [] if nothing is."""
    outcome, wrong = scenario.outcome, []
    word, host, family = happened(farm, scenario, answer.code, since)
    if not fits(outcome, word):
        return [f"expected {outcome.text}, got {word}"
                f"{' at ' + host.name if host else ''} ({answer})"]
    want = host_of(scenario, hosts)
    if word in ("plain", "tls") and want is not host:
        wrong.append(f"expected at {outcome.host}, got it at {host.name}")
    if outcome.family and family != outcome.family and host:
        wrong.append(f"expected over {outcome.family}, got {family}")
    if word == "bounce" and outcome.codes and \
            answer.code not in outcome.codes:
        wrong.append(f"expected code {outcome.codes}, got {answer}")
    if word == "bounce" and outcome.enhanced and \
            answer.enhanced not in outcome.enhanced:
        wrong.append(f"expected {outcome.enhanced}, got {answer}")
    for _, mail in farm.transactions(scenario.rcpt, since):
        if (" REQUIRETLS" in mail[1].upper()) != (
                scenario.asks == "requiretls"):
            wrong.append(f"heard {mail[1]}")
    return wrong + leaks(farm, hosts, scenario, since)


def leaks(farm, hosts, scenario, since=0):
    """An envelope told below the demanded level is one too (A027): where
    something safer is demanded, nobody hears MAIL in the clear, and nobody but
    the host that proves itself hears it at all."""
    if not scenario.outcome.is_safe or scenario.asks == "tls-no":
        return []
    want, wrong = host_of(scenario, hosts), []
    for talk, is_tls, _ in seen_at(farm, scenario.rcpt, since):
        if not is_tls:
            wrong.append(f"MAIL in the clear at {talk.host.name}")
        elif talk.host is not want and not allows_mail(scenario, talk.host):
            wrong.append(f"MAIL at {talk.host.name}, which is not proven")
    return wrong


def allows_mail(scenario, host):
    """A server that refuses the recipient has to be asked."""
    refusing = {"rcpt-450", "rcpt-550"} & set(host.offers)
    return bool(refusing) and (scenario.outcome.kinds[0] == "bounce" or
                               scenario.outcome.host is not None)
