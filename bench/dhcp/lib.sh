# shellcheck shell=bash disable=SC2034  # some variables are for the callers alone
# What bench/dhcp/run and bench/dhcp/kills share, besides bench/lib.sh: rambox with many nodes, storms. Needs $STORM too.
#
#   rambox_config NODES       writes a configuration and builds what it boots
#   rambox_start, server_stop [SIGNAL], server_wait
#   storm NAME OPTION...      a storm; its figures are in $WORK/storm.NAME, read by `of NAME FIGURE`
#   fresh N                   sets $MAC to the first of N hardware addresses that nobody had yet

BENCH=dhcp
. bench/lib.sh
next_mac=0

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
    local config=$WORK/config
    mkdir -p "$config/nodes.d"
    fake_kernel fake 100000
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
    known_nodes "$1" $'---\nnode: NAME\nmac: MAC\nip: IP\n' >"$config/nodes.d/known.yaml"
    rambox_build
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
    json "$WORK/storm.$1" "$2"
}
