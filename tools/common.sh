# Shared by ./try, ./test and bench/run: plain POSIX shell, since a fresh machine has nothing else.
# The caller has changed to the top of the source tree.

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$0: $*"
    exit 1
}

need_root() {
    [ "$(id -u)" = 0 ] || die "needs root: it installs packages and makes network namespaces. Run: sudo $0"
}

# package_names SECTION...: the packages of these sections of packages.txt.
package_names() {
    for section in "$@"; do
        while read -r in_section package _; do
            if [ "$in_section" = "$section" ]; then echo "$package"; fi
        done <packages.txt
    done
}

# probe PROBE: is it there? For systems without dpkg.
probe() {
    case $1 in
    command:*) command -v "${1#*:}" >/dev/null || [ -x "/usr/sbin/${1#*:}" ] || [ -x "/sbin/${1#*:}" ] ;;
    pkgconfig:*) pkg-config --exists "${1#*:}" 2>/dev/null ;;
    file:*) [ -e "${1#*:}" ] ;;
    esac
}

missing_by_dpkg() {
    for package in $(package_names "$@"); do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
        if [ "$status" != installed ]; then echo "$package"; fi
    done
}

missing_by_probe() {
    for section in "$@"; do
        while read -r in_section package how; do
            if [ "$in_section" = "$section" ] && ! probe "$how"; then echo "$package"; fi
        done <packages.txt
    done
}

# Daemons of the peers that we measure beside us must not start when their packages are installed: a policy-rc.d that
# says no, for as long as apt runs, where there is none already.
without_starting_daemons() {
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    "$@"
    status=$?
    rm -f "$policy"
    trap - EXIT
    return $status
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q install -y --no-install-recommends "$@" >&2
}

# need_packages SECTION...: installs what is missing with apt; without apt names it and stops.
need_packages() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        missing=$(missing_by_probe "$@")
        [ -z "$missing" ] && return
        say "There is no apt here. Please install, under your system's names for them:"
        # shellcheck disable=SC2086
        say "  "$missing
        exit 1
    fi
    missing=$(missing_by_dpkg "$@")
    [ -z "$missing" ] && return
    # shellcheck disable=SC2086
    say "Installing $(echo $missing | wc -w) packages with apt:" $missing
    # An old list of packages names files that are no longer there, so a first failure asks for a new one.
    # shellcheck disable=SC2086
    if ! { [ -n "$(ls /var/lib/apt/lists 2>/dev/null)" ] && without_starting_daemons apt_install $missing; }; then
        apt-get -q update >&2 || say "apt-get update failed; trying with the lists that are there"
        without_starting_daemons apt_install $missing || die "apt could not install: $missing"
    fi
}

# build_in FOLDER [MESON-OPTION...]: configures it once and compiles.
build_in() {
    folder=$1
    shift
    if [ ! -e "$folder/build.ninja" ]; then
        say "Configuring $folder"
        meson setup "$folder" "$@" >"$folder.log" 2>&1 || { cat "$folder.log" >&2; die "meson setup failed"; }
    fi
    say "Compiling $folder"
    ninja -C "$folder" >"$folder.log" 2>&1 || { cat "$folder.log" >&2; die "compiling failed"; }
}

# use_build FOLDER: lets the rambox of a build folder find its data where the sources have it.
use_build() {
    RAMBOX=$PWD/$1/src/cli/rambox
    RAMBOX_SHARE=$PWD/share
    RAMBOX_LIBEXEC=$PWD/$1/src/init
    export RAMBOX RAMBOX_SHARE RAMBOX_LIBEXEC
}
