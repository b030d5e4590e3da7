#!/bin/sh
# inside.sh install | try | purge: what debian.sh does inside of the clean root.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
LC_ALL=C.UTF-8
export PATH DEBIAN_FRONTEND LC_ALL
cd /packages

fail() {
    echo "$1"
    exit 1
}

case $1 in
install)
    apt-get update
    # What they say they need is all that they get.
    apt-get install -y --no-install-recommends ./*.deb
    ;;
try)
    # ---- A program, by pkg-config alone: shared, and with the library inside.
    # shellcheck disable=SC2046 # flags are words
    cc -std=c11 -Wall -Wextra -Werror hello.c -o hello \
        $(pkg-config --cflags --libs onward)
    ./hello ann@example.com
    # shellcheck disable=SC2046
    cc -std=c11 -Wall -Wextra -Werror hello.c -o static -Wl,-Bstatic -lonward \
        -Wl,-Bdynamic $(pkg-config --static --libs onward | sed 's/-lonward//')
    ./static ann@example.com >/dev/null
    grep -q 'int onward_ctx_new' /usr/share/onward/onward.ffi.h

    # ---- The programs, and whom the service runs as.
    onward --version
    sh /packages/forwarder
    entry=$(getent passwd onward)
    case $entry in
    *:/usr/sbin/nologin) ;;
    *) fail "the user can log in: $entry" ;;
    esac
    [ "$(stat -c '%U %a' /etc/onward/forwarder.conf)" = 'root 644' ]
    dpkg-query -W -f '${Conffiles}\n' onward-forwarder |
        grep -q '^ /etc/onward/forwarder.conf ' || fail "no conffile"
    dpkg-query -W -f '${Conffiles}\n' onward-forwarder |
        grep -q '^ /etc/onward/rules.json ' || fail "no conffile"
    [ -f /lib/systemd/system/onward-forwarder.service ]
    if find /etc/systemd -name 'onward*' | grep .; then
        fail "the service was enabled, and had no settings yet"
    fi

    # ---- It serves, as that user.
    (
        exec setpriv --reuid onward --regid onward --clear-groups \
            onward-forwarder --config /etc/onward/forwarder.conf
    ) >ready 2>log &
    pid=$!
    tries=0
    until grep -q '^ready ' ready; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "not ready: $(cat log)"
        kill -0 "$pid" || fail "ended: $(cat log)"
        sleep 0.1
    done
    kill "$pid"
    wait "$pid" || fail "it ended with $?"
    cat ready

    # ---- Every manual page that came along can be found by its program.
    for program in /usr/bin/onward*; do
        dpkg-query -S "/usr/share/man/man*/${program##*/}.*" >/dev/null ||
            fail "$program has no manual page"
    done
    ;;
purge)
    apt-get purge -y onward-forwarder onward-tools libonward-dev libonward0
    [ ! -e /etc/onward ] || fail "/etc/onward is left"
    [ ! -e /var/lib/onward-forwarder ] || fail "its state is left"
    ;;
esac
