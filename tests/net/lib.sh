# shellcheck shell=bash disable=SC2034  # some variables are for the callers alone
# What the network tests share. Each test makes a server and clients in network namespaces of their own, with a bridge
# between them, runs the built `rambox serve` on the real ports, and speaks TAP. Sourced; it needs root, $RAMBOX,
# $RAMBOX_SHARE and $RAMBOX_LIBEXEC.
#
#   net_setup                    the server's namespace: br0 with 192.168.7.1/24; a configuration; built artifacts
#   client NAME MAC [BRIDGE [WHERE]]   a namespace with eth0, plugged into that bridge (br0) of that namespace (server)
#   bridge NAME ADDRESS/LENGTH MAC [WHERE]   one more bridge in that namespace
#   namespace NAME               an empty one; `plug NAME INTERFACE MAC BRIDGE WHERE` gives it an interface
#   move NAME BRIDGE [WHERE]     plugs the eth0 of a client into another bridge
#   on NAME COMMAND...           runs in that namespace; `server` is the server's
#   serve [OPTION...]            starts the server and waits until it serves; its log is $work/log, events $work/events
#   serve_stop [SIGNAL]          stops it (TERM unless said); its exit status is $serve_status
#   leases                       what the store has: ADDRESS bound|released|declined MAC HOSTNAME, a line each
#   wait_for SECONDS COMMAND...  until the command succeeds; fails when it never did
#   check DESCRIPTION COMMAND... one TAP line, by the command's exit status
#   r ARGUMENT...                rambox with the configuration; leaves $status, $out, $err
#   is STATUS OUT ERR            what it did, exactly
#   says STATUS PATTERN...       each of them stands in what it printed
#   json EXPRESSION              of Python, about its output as `d`
#   plan_done                    ends the TAP stream
#
# All of it goes when the script ends: namespaces, processes, files.

tests=0
failed=0
clients=()
serve_pid=
serve_status=
prefix=rb$$

die() {
    echo "Bail out! $*"
    exit 1
}

on() {
    local where=$1
    shift
    ip netns exec "$prefix-$where" "$@"
}

net_cleanup() {
    local pid name
    [ -z "$serve_pid" ] || kill -KILL "$serve_pid" 2>/dev/null
    for name in server "${clients[@]}"; do
        for pid in $(ip netns pids "$prefix-$name" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null
        done
        ip netns del "$prefix-$name" 2>/dev/null
    done
    wait 2>/dev/null
    [ -z "${work:-}" ] || rm -rf "$work"
}

net_setup() {
    [ "$(id -u)" = 0 ] || die "network namespaces need root"
    [ -x "${RAMBOX:-}" ] || die "RAMBOX names no program"
    work=$(mktemp -d)
    config=$work/config
    state=$work/state
    trap net_cleanup EXIT
    trap 'exit 1' INT TERM HUP
    ip netns add "$prefix-server" || die "cannot make a network namespace"
    on server ip link set lo up
    bridge br0 192.168.7.1/24 02:00:00:00:00:01
    write_config
    build_artifacts
}

bridge() {
    local where=${4:-server}
    on "$where" ip link add "$1" type bridge
    on "$where" ip link set "$1" address "$3"
    on "$where" ip address add "$2" dev "$1"
    on "$where" ip link set "$1" up
}

namespace() {
    ip netns add "$prefix-$1" || die "cannot make a network namespace"
    clients+=("$1")
    on "$1" ip link set lo up
}

# The other end of the cable has a name of its own, and where it is: `move` plugs it in elsewhere.
cables=0
declare -A cable_of=() cable_at=()
plug() {
    local port=p$cables
    cables=$((cables + 1))
    on "$5" ip link add "$port" type veth peer name "$2" netns "$prefix-$1"
    on "$5" ip link set "$port" master "$4" up
    on "$1" ip link set "$2" address "$3"
    on "$1" ip link set "$2" up
    cable_of[$1]=$port
    cable_at[$1]=$5
}

client() {
    namespace "$1"
    plug "$1" eth0 "$2" "${3:-br0}" "${4:-server}"
}

move() {
    local port=${cable_of[$1]} from=${cable_at[$1]} to=${3:-server}
    [ "$from" = "$to" ] || on "$from" ip link set "$port" netns "$prefix-$to"
    on "$to" ip link set "$port" master "$2" up
    cable_at[$1]=$to
}

# What is behind `kernel` in the tests: a source tree whose Makefile answers as the kernel's does, and makes a "kernel" of
# $kernel_size random bytes at once.
kernel_size=300000
write_kernel_tree() {
    mkdir -p "$work/tree"
    head -c "$kernel_size" /dev/urandom >"$work/tree/payload"
    printf 'config NET\n\tbool "Networking"\n' >"$work/tree/Kconfig"
    printf '%s\n' 'allnoconfig:' $'\tcp $(KCONFIG_ALLCONFIG) $(O)/.config' 'bzImage:' \
        $'\tmkdir -p $(O)/arch/x86/boot' $'\tcp payload $(O)/arch/x86/boot/bzImage' $'\ttouch $(O)/vmlinux' >"$work/tree/Makefile"
}

# One subnet, two nodes: n1 with an address, n2 with one of the pool. extra_server, extra_subnet (of subnet lab),
# extra_subnets (whole ones, indented by two) and extra_site (at the top) are lines of YAML.
write_config() {
    mkdir -p "$config/nodes.d" "$config/images" "$config/kernels"
    write_kernel_tree
    cat >"$config/rambox.yaml" <<END
server:
  state: $state
  cache: $work/cache
  ${extra_server:-}
subnets:
  lab:
    prefix: 192.168.7.0/24
    router: 192.168.7.1
    dns: [192.168.7.1]
    domain: lab.example
    pools: [192.168.7.100-192.168.7.199]
    ${extra_subnet:-}
${extra_subnets:-}
${extra_site:-}
profiles:
  default:
    kernel: fake
    image: tiny
    console: ttyS0,115200
END
    printf 'source: {tree: %s}\nfragments: []\nsymbols: {NET: y}\n' "$work/tree" >"$config/kernels/fake.yaml"
    printf '%s\n' 'base: no' 'busybox: none' 'compression: none' 'files:' '  - {path: /init, content: "hello", mode: "0755"}' >"$config/images/tiny.yaml"
    printf 'node: n1\nmac: 52:54:00:00:00:01\nip: 192.168.7.11\nuuid: 123e4567-e89b-12d3-a456-426614174000\n' >"$config/nodes.d/n1.yaml"
    printf 'node: n2\nmac: 52:54:00:00:00:02\n' >"$config/nodes.d/n2.yaml"
}

build_artifacts() {
    "$RAMBOX" --config "$config" build --quiet >"$work/build.log" 2>&1 ||
        die "rambox build failed: $(cat "$work/build.log")"
}

r() {
    "$RAMBOX" --config "$config" "$@" >"$work/out" 2>"$work/err"
    status=$?
    out=$(cat "$work/out")
    err=$(cat "$work/err")
}

is() {
    [ "$status" = "$1" ] && [ "$out" = "$2" ] && [ "$err" = "$3" ] && return
    printf '#   status %s\n' "$status"
    sed 's/^/#   out: /' "$work/out"
    sed 's/^/#   err: /' "$work/err"
    return 1
}

says() {
    local expected=$1 pattern
    shift
    [ "$status" = "$expected" ] || { is "$expected" '' ''; return 1; }
    for pattern; do
        grep -qF -- "$pattern" "$work/out" "$work/err" || { is "$expected" "$pattern" ''; return 1; }
    done
}

json() {
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$work/out" "$1"
}

wait_for() {
    local end=$((SECONDS + ($1 < 60 ? 60 : $1))) # a limit is for what hangs; a busy machine has at least a minute
    shift
    while ! "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

logged() {
    grep -qE -- "$1" "$work/log"
}

# Lines of the log that match.
logged_times() {
    grep -cE -- "$1" "$work/log"
}

# Lines of the event stream that match.
event_times() {
    grep -cE -- "$1" "$work/events"
}

serve_start() {
    : >"$work/events"
    : >"$work/log" # else what the server before said counts as this one's
    # Not by `on`: the process behind $! must be the server itself.
    ip netns exec "$prefix-server" "$RAMBOX" --config "$config" serve --events "$work/events" "$@" >"$work/log" 2>&1 &
    serve_pid=$!
}

serve_gone() {
    ! kill -0 "$serve_pid" 2>/dev/null
}

serve() {
    serve_start "$@"
    wait_for 20 logged 'serving generation [0-9]+ on br0' || die "the server did not start: $(cat "$work/log")"
}

serve_stop() {
    kill "-${1:-TERM}" "$serve_pid" 2>/dev/null || true
    if wait_for 20 serve_gone; then
        wait "$serve_pid" 2>/dev/null
        serve_status=$?
    else
        kill -KILL "$serve_pid"
        wait "$serve_pid" 2>/dev/null
        serve_status=hung
    fi
    serve_pid=
}

# The value of a line of /metrics.
metric() {
    on server curl -s "http://192.168.7.1:8069/metrics" | awk -v name="$1" '$1 == name { print $2 }'
}

leases() {
    python3 - "$state/rambox.db" <<'END'
import ipaddress, signal, sqlite3, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
states = {1: "bound", 2: "released", 3: "declined"}
for ip, state, mac, name in sqlite3.connect(sys.argv[1]).execute("SELECT ip, state, mac, hostname FROM leases ORDER BY ip"):
    print(ipaddress.ip_address(ip), states.get(state, state), mac.hex(":"), name or "-")
END
}

check() {
    local what=$1
    shift
    tests=$((tests + 1))
    if "$@"; then
        echo "ok $tests - $what"
    else
        failed=$((failed + 1))
        echo "not ok $tests - $what"
        [ ! -s "$work/log" ] || tail -n 15 "$work/log" | sed 's/^/#   log: /'
    fi
}

plan_done() {
    echo "1..$tests"
    exit $((failed > 0))
}
