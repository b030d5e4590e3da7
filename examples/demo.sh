#!/bin/sh
# See libonward carry mail: sh examples/demo.sh
#
# Starts a Postfix that receives and the forwarder before it, both on loopback,
# sends signed mail to five addresses and looks at what arrives. Works on a
# fresh Debian machine, as root or with sudo; takes a minute, most of it the
# build. Everything lives in a temporary folder and ends with the script: the
# machine's own mail set-up is neither read nor changed. Exit status 0 when all
# came as said.
#
# --build DIR: take the programs of that build, install and build nothing.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
tools=$top/tests/interop
python=/usr/bin/python3 # Debian's own: it has dkimpy
export PYTHONDONTWRITEBYTECODE=1
. "$top/tests/packages.sh"

build=
if [ "${1-}" = --build ] && [ -n "${2-}" ]; then
    build=$2
elif [ $# -ne 0 ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    if ! [ -t 0 ] && ! sudo -n true 2>/dev/null; then
        echo "Postfix needs root, or sudo." >&2
        exit 77
    fi
fi

work=$(mktemp -d /tmp/onward-demo-XXXXXX)
chmod 755 "$work" # Postfix delivers as a user of its own
postfix=
forwarder=
failures=0

clean_up() {
    status=$?
    trap - EXIT INT TERM HUP
    [ -z "$forwarder" ] || kill "$forwarder" 2>/dev/null || :
    [ -z "$postfix" ] || $as_root kill "$postfix" 2>/dev/null || :
    wait
    $as_root rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

section() {
    echo
    echo "== $*"
    echo
}

# expect WHAT COMMAND...: says whether it holds.
expect() {
    what=$1
    shift
    if "$@"; then
        echo "   ok: $what"
    else
        echo "   WRONG: $what"
        failures=$((failures + 1))
    fi
}

# wait_ready FILE PID WHO: waits for the line "ready ..." in FILE; its words go
# to $ready.
wait_ready() {
    tries=0
    until grep -qs '^ready ' "$1"; do
        tries=$((tries + 1))
        if [ $tries -gt 600 ] || ! $as_root kill -0 "$2" 2>/dev/null; then
            echo "$3 does not start:" >&2
            cat "$1" "$1.err" >&2
            status=1
            [ $tries -gt 600 ] || wait "$2" || status=$?
            exit "$status" # 77: Postfix cannot be had here
        fi
        sleep 0.1
    done
    ready=$(sed -n 's/^ready //p' "$1")
}

indent() { sed 's/^/   /'; }

# ---- What it takes --------------------------------------------------------

if [ -z "$build" ]; then
    section "Install what is missing, build the forwarder"
    # shellcheck disable=SC2086 # a list of names
    onward_packages $ONWARD_BUILD_PACKAGES openssl swaks python3 \
        python3-dkim python3-authres libmail-dkim-perl
    build=$top/build-demo
    [ -f "$build/build.ninja" ] ||
        meson setup "$build" "$top" -Dtests=false -Dfuzz=off >"$work/build" ||
        { cat "$work/build"; exit 1; }
    ninja -C "$build" >"$work/build" || { cat "$work/build"; exit 1; }
    echo "   The programs are in ${build#"$top"/}."
fi
onward=$build/examples/cli/onward

section "Make keys and certificates, for this run alone"

cp "$top"/examples/demo/* "$work"
PYTHONPATH=$tools $python - "$work" <<'END'
import sys, world
folder = sys.argv[1]
authority = world.Authority(folder)
for host in ("mx.forward.example", "mx.mailbox.example"):
    authority.certify(host)
with open(folder + "/dns", "a") as dns:
    for domain, selector, name in (("sender.example", "s1", "dkim.pem"),
                                   ("forward.example", "arc", "arc.pem")):
        key = world.SigningKey(folder, domain, selector)
        dns.write(key.record + "\n")
        world.os.rename(key.file, f"{folder}/{name}")
with open(folder + "/srs-secret", "w") as secret:
    secret.write(world.os.urandom(16).hex() + "\n")
with open(folder + "/port", "w") as port:
    port.write(str(world.free_port("127.0.0.2")))
END
port=$(cat "$work/port")
echo "out_port = $port" >>"$work/forwarder.conf"
cat <<'END'
   sender.example   has a DKIM key, an SPF record, and DMARC that asks to reject
   forward.example  has the key that it seals with (ARC)
   both servers     have certificates of a CA that the demo made
END

section "Start a Postfix for mailbox.example on 127.0.0.2"

# Unpacked below the build folder, not installed; it ends with us.
$as_root $python "$tools/peers.py" postfix --name mx.mailbox.example \
    --cache "${ONWARD_DEBS:-$build/debs}" --folder "$work/postfix" \
    --listen "127.0.0.2:$port" --certificate "$work/mx.mailbox.example.pem" \
    --key "$work/mx.mailbox.example.key" \
    >"$work/postfix.out" 2>"$work/postfix.out.err" &
postfix=$!
wait_ready "$work/postfix.out" "$postfix" Postfix
maildir=${ready#* }
echo "   It takes mail at ${ready%% *} and puts it into a Maildir."

section "Start the forwarder for forward.example"

grep -v '^out_port' "$work/forwarder.conf" | sed -n '/^[a-z]/p' | indent
"$build/examples/forwarder/onward-forwarder" --config "$work/forwarder.conf" \
    >"$work/forwarder.out" 2>"$work/forwarder.out.err" &
forwarder=$!
wait_ready "$work/forwarder.out" "$forwarder" "The forwarder"
address=$ready
echo
echo "   It takes mail at $address."

# ---- Mail -----------------------------------------------------------------

# write_message SUBJECT TO: a message of ann@sender.example, signed by her
# domain.
write_message() {
    cat >"$work/plain" <<END
Date: $(LC_ALL=C date -R)
From: Ann <ann@sender.example>
To: <$2>
Subject: $1
Message-ID: <$1.$$@sender.example>

Dear Joe,
this is the message "$1".
.
A line that is only a dot stands above, to see that it arrives.
END
    "$onward" sign --key "$work/dkim.pem" --domain sender.example \
        --selector s1 <"$work/plain" >"$work/$1.eml"
    # swaks ends the last line by itself.
    printf %s "$(cat "$work/$1.eml")" >"$work/$1.data"
}

# send SUBJECT TO: over STARTTLS, with swaks; the dialogue goes to a file.
send() {
    write_message "$1" "$2"
    status=0
    swaks --server "${address%:*}" --port "${address##*:}" --tls \
        --helo mail.sender.example --from ann@sender.example --to "$2" \
        --data "@$work/$1.data" --suppress-data \
        >"$work/$1.log" 2>&1 </dev/null || status=$?
}

# delivered SUBJECT: the file of that message in the Maildir, or nothing.
delivered() {
    $as_root grep -rlx "Subject: $1" "$maildir/new" 2>/dev/null || :
}

# arrives SUBJECT: whether it is there exactly once, within some seconds. The
# forwarder says 250 when Postfix has it; Postfix then takes a moment.
arrives() {
    tries=0
    while [ -z "$(delivered "$1")" ] && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    [ "$(delivered "$1" | wc -l)" -eq 1 ]
}

never_arrives() { [ -z "$(delivered "$1")" ]; }

# What was said from MAIL on.
dialogue_from_mail() { sed -n '/> MAIL/,/> QUIT/p' "$1" | sed '$d' | indent; }

section "A custom address: hello@forward.example"

send custom hello@forward.example
indent <"$work/custom.log"
echo
expect "the forwarder answered 250" [ "$status" -eq 0 ]
expect "the message is in joe's mailbox, once" arrives custom

section "An address of a subdomain: orders@shop.forward.example"

send subdomain orders@shop.forward.example
dialogue_from_mail "$work/subdomain.log"
echo
expect "the forwarder answered 250" [ "$status" -eq 0 ]
expect "the message is in joe's mailbox, once" arrives subdomain

section "The catch-all: whatever@forward.example"

send catch-all whatever@forward.example
dialogue_from_mail "$work/catch-all.log"
echo
expect "the forwarder answered 250" [ "$status" -eq 0 ]
expect "the message is in joe's mailbox, once" arrives catch-all

section "A dropped address: noise@forward.example"

send dropped noise@forward.example
dialogue_from_mail "$work/dropped.log"
echo
expect "the forwarder answered 250" [ "$status" -eq 0 ]

section "An unknown address: nobody@shop.forward.example"

echo "   The catch-all is that of forward.example alone, not of its subdomains."
echo
send unknown nobody@shop.forward.example
dialogue_from_mail "$work/unknown.log"
echo
expect "it was refused at RCPT with 550 5.1.1" \
    grep -q '<[~*]\{1,2\} *550 5\.1\.1 ' "$work/unknown.log"
expect "nothing came of the unknown one" never_arrives unknown
expect "nothing came of the dropped one" never_arrives dropped

# ---- What arrived ---------------------------------------------------------

section "The message to hello@forward.example, as joe has it"

if file=$(delivered custom) && [ -n "$file" ]; then
    $as_root cat "$file" >"$work/arrived.eml"
else
    : >"$work/arrived.eml"
fi
# Signatures are long; their beginnings will do.
sed 's/^\(.\{96\}\).\{4,\}$/\1.../' "$work/arrived.eml" | indent
echo
has() { sed -n '1,/^$/p' "$work/arrived.eml" | grep -q "$1"; }
# The signed message has LF ends here, as the Maildir has.
ends_as_sent() {
    tail -c "$(wc -c <"$work/custom.eml")" "$work/arrived.eml" |
        cmp -s - "$work/custom.eml"
}
expect "the sender was rewritten (SRS)" \
    has '^Return-Path: <SRS0=.*=sender\.example=ann@forward\.example>'
expect "it came to Postfix over TLS" has 'with ESMTPS'
expect "Authentication-Results are of mx.forward.example" \
    has '^Authentication-Results: mx\.forward\.example;'
expect "an ARC set is on top, i=1" has '^ARC-Authentication-Results: i=1;'
expect "below what was added it is as it was sent, to the octet" ends_as_sent

section "What others say of its signature and its ARC chain"

# judge PROGRAM...: show its verdict; whether all of it is pass.
judge() {
    "$@" verify "$work/dns" <"$work/arrived.eml" >"$work/verdict" || return 1
    $python - "$work/verdict" <<'END'
import json, sys
said = json.load(open(sys.argv[1]))
for s in said["dkim"]:
    print(f"   {said['by']}: DKIM signature of {s['d']}: {s['result']}")
print(f"   {said['by']}: ARC chain of {said['instances']}: {said['arc']}")
good = [{"d": "sender.example", "result": "pass"}]
sys.exit(said["dkim"] != good or said["arc"] != "pass" or
         said["instances"] != 1)
END
}
expect "dkimpy accepts both" judge $python "$tools/with_dkimpy.py"
expect "Mail::DKIM accepts both" judge perl "$tools/with_maildkim.pl"

section "The forwarder's log: one line of JSON for each message"

logged() { grep -c '"event":"message"' "$work/log"; }
grep '"event":"message"' "$work/log" | indent
echo
expect "the four messages that were taken are in it" [ "$(logged)" -ge 4 ]

section "Stop"

kill "$forwarder"
ended=0
wait "$forwarder" || ended=$?
forwarder=
expect "the forwarder ended by itself, status 0" [ "$ended" -eq 0 ]
echo
if [ "$failures" -ne 0 ]; then
    echo "$failures things went wrong."
    exit 1
fi
echo "All went as it should."
