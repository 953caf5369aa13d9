# shellcheck shell=bash disable=SC2034  # some variables are for the callers alone
# What bench/dhcp/run and bench/dhcp/kills share: two network namespaces joined by a veth pair, rambox with a
# configuration of its own, storms, figures. Sourced from the top of the source tree; needs root, $RAMBOX, $STORM.
#
#   net_up                    namespaces and links; they go when the script ends, with every process it started
#   rambox_config NODES       writes a configuration and builds what it boots
#   rambox_start, server_stop [SIGNAL], server_wait
#   storm NAME OPTION...      a storm; its figures are in $WORK/storm.NAME, read by `of NAME FIGURE`
#   fresh N                   sets $MAC to the first of N hardware addresses that nobody had yet

SERVER=10.77.0.1
WORK=
PID=
next_mac=0

say() {
    echo "$*" >&2
}

die() {
    say "bench dhcp: $*"
    exit 1
}

net_down() {
    local ns pid
    [ -z "$PID" ] || kill -KILL "$PID" 2>/dev/null
    for ns in "$NS-s" "$NS-c"; do
        for pid in $(ip netns pids "$ns" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null
        done
        ip netns del "$ns" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$WORK"
}

net_up() {
    NS=rbdhcp$$
    WORK=$(mktemp -d)
    trap net_down EXIT
    trap 'exit 1' INT TERM HUP
    { ip netns add "$NS-s" && ip netns add "$NS-c"; } || die "cannot make network namespaces"
    ip link add rb0 netns "$NS-s" type veth peer name rb1 netns "$NS-c"
    ip -n "$NS-s" address add $SERVER/8 dev rb0
    ip -n "$NS-c" address add 10.77.0.2/8 dev rb1
    local end
    for end in s:lo s:rb0 c:lo c:rb1; do
        ip -n "$NS-${end%:*}" link set "${end#*:}" up
    done
}

# The pool of all servers: 10.16.0.0 to 10.19.255.255, 262,144 addresses. Known nodes: MAC 06:00:00:00:00:00 and up,
# 250 addresses of each 10.32.x.0.
known_nodes() {
    awk -v n="$1" -v format="$2" 'BEGIN {
        for (i = 0; i < n; i++) {
            mac = sprintf("06:00:00:00:%02x:%02x", i / 256, i % 256)
            ip = sprintf("10.32.%d.%d", i / 250, i % 250 + 1)
            line = format; gsub(/NAME/, "k" i, line); gsub(/MAC/, mac, line); gsub(/IP/, ip, line); printf "%s", line
        }
    }'
}

rambox_config() {
    local config=$WORK/config tree=$WORK/tree
    mkdir -p "$config/nodes.d" "$config/images" "$config/kernels" "$tree"
    # A source tree that answers as the kernel's does; nothing here boots.
    head -c 100000 /dev/urandom >"$tree/payload"
    printf 'config NET\n\tbool "Networking"\n' >"$tree/Kconfig"
    printf '%s\n' 'allnoconfig:' $'\tcp $(KCONFIG_ALLCONFIG) $(O)/.config' 'bzImage:' \
        $'\tmkdir -p $(O)/arch/x86/boot' $'\tcp payload $(O)/arch/x86/boot/bzImage' $'\ttouch $(O)/vmlinux' >"$tree/Makefile"
    cat >"$config/rambox.yaml" <<-END
	server:
	  state: $WORK/state
	  cache: $WORK/cache
	subnets:
	  bench:
	    prefix: 10.0.0.0/8
	    router: $SERVER
	    dns: [$SERVER]
	    domain: bench.example
	    pools: [10.16.0.0-10.19.255.255]
	    unknown: allow
	    unknown_profile: default
	profiles:
	  default:
	    kernel: fake
	    image: tiny
	END
    printf 'source: {tree: %s}\nfragments: []\nsymbols: {NET: y}\n' "$tree" >"$config/kernels/fake.yaml"
    printf '%s\n' 'base: no' 'busybox: none' 'compression: none' 'files:' \
        '  - {path: /init, content: "hello", mode: "0755"}' >"$config/images/tiny.yaml"
    known_nodes "$1" $'---\nnode: NAME\nmac: MAC\nip: IP\n' >"$config/nodes.d/known.yaml"
    "$RAMBOX" --config "$config" build --quiet >"$WORK/build.log" 2>&1 || die "rambox build failed: $(cat "$WORK/build.log")"
}

# launch COMMAND...: a server in its namespace; what it prints goes to a file, as a service manager would have it.
launch() {
    ip netns exec "$NS-s" "$@" >"$WORK/log" 2>&1 </dev/null &
    PID=$!
}

rambox_start() {
    launch "$RAMBOX" --config "$WORK/config" serve
}

# Until it answers a client, which asks every 50 ms.
server_wait() {
    local i
    fresh 1
    for ((i = 0; i < 60; i++)); do
        kill -0 "$PID" 2>/dev/null || die "the server ended: $(tail -n 5 "$WORK/log")"
        storm wait --server $SERVER --clients 1 --mac "$MAC" --retransmit 0.05 --timeout 0.5 && return
    done
    die "the server did not answer: $(tail -n 5 "$WORK/log")"
}

server_stop() {
    kill "-${1:-TERM}" "$PID" 2>/dev/null || true
    wait "$PID" 2>/dev/null || true
    PID=
}

# mac_of NUMBER: sets $MAC.
mac_of() {
    printf -v MAC '02:00:%02x:%02x:%02x:%02x' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255))
}

fresh() {
    mac_of $next_mac
    next_mac=$((next_mac + $1))
}

# The exit status is the storm's: 1 when the server broke a rule, 3 when exchanges had no good end.
storm() {
    local name=$1
    shift
    ip netns exec "$NS-c" "$STORM" --json "$@" >"$WORK/storm.$name"
}

of() {
    sed -n "s/^ *\"$2\": \([0-9.]*\),*\$/\1/p" "$WORK/storm.$1"
}

median() {
    sort -n | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# figure NAME VALUE UNIT TARGET MORE: MORE is >= or <=, whichever meets the target.
figure() {
    awk -v n="$1" -v v="$2" -v u="$3" -v t="$4" -v m="$5" 'BEGIN {
        met = v == "" ? 0 : m == "<=" ? v + 0 <= t : v + 0 >= t
        printf "figure %s = %.2f %s (target %s %s): %s\n", n, v, u, t, u, met ? "met" : "short" }'
}

reported() {
    awk -v n="$1" -v v="$2" -v u="$3" 'BEGIN { printf "figure %s = %.2f %s (no target): reported\n", n, v, u }'
}
