# packages.sh, to be sourced: onward_packages NAME... installs what is missing
# of these Debian packages, quietly, as root or with sudo.
onward_packages() {
    missing=
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null |
            grep -q 'install ok installed' || missing="$missing $name"
    done
    [ -n "$missing" ] || return 0
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        command -v sudo >/dev/null || {
            echo "need root or sudo to install:$missing" >&2
            return 1
        }
    fi
    echo "installing:$missing"
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of names
    if ! { $as_root apt-get update -qq &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing; } \
        >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# What the library and its examples are built with.
ONWARD_BUILD_PACKAGES="gcc libc6-dev meson ninja-build pkg-config nettle-dev
    libgmp-dev libgnutls28-dev libidn2-dev libunistring-dev libpsl-dev
    libexpat1-dev libzip-dev zlib1g-dev libunbound-dev dns-root-data liblmdb-dev
    libmicrohttpd-dev libcurl4-gnutls-dev"
# What the tests need on top.
ONWARD_TEST_PACKAGES="libcmocka-dev clang libclang-rt-14-dev g++ python3
    python3-cffi python3-dnspython mypy luajit abigail-tools binutils gnutls-bin openssl gsasl swaks python3-dkim
    python3-nacl python3-authres libmail-dkim-perl libopendkim-dev libssl-dev
    softhsm2 git ca-certificates libsasl2-modules libsasl2-modules-db valgrind libxml2-utils libgmime-3.0-dev msmtp
    m4 python3-aiosmtpd redis-tools zsh bsdutils iproute2 util-linux mount curl faketime
    build-essential dpkg-dev debhelper lintian mmdebstrap fakeroot xz-utils systemd strace doxygen
    groff-base"
# Node from elsewhere brings its own npm, and Debian's does not go with it.
command -v npm >/dev/null ||
    ONWARD_TEST_PACKAGES="$ONWARD_TEST_PACKAGES nodejs npm"
# What the benchmarks measure us beside, on top of what builds the library.
ONWARD_BENCH_PACKAGES="libopendkim-dev libspf2-dev libmail-dkim-perl python3
    libgmime-3.0-dev libetpan-dev liblmdb-dev libcdb-dev"
