# shellcheck shell=bash disable=SC2034  # some variables are for the callers alone
# What the benchmarks of servers share: two network namespaces joined by a veth pair, rambox with a configuration of its
# own, the server's processor time and memory, medians, figures. Sourced from the top of the source tree, with $BENCH the
# benchmark's name; needs root and $RAMBOX.
#
#   net_up                     namespaces and links; they go when the script ends, with every process it started
#   launch COMMAND...          a server in its namespace; server_stop [SIGNAL] ends it
#   fake_kernel NAME BYTES     something to serve, in the configuration $WORK/config, as g1/kernel/NAME
#   note KIND VALUE, m KIND    one more result of a kind, and the median of them
#   ratios, figure, reported   see below

SERVER=10.77.0.1
CLIENT=10.77.0.2
WORK=
PID=
GROUP=

say() {
    echo "$*" >&2
}

die() {
    say "bench $BENCH: $*"
    exit 1
}

net_down() {
    local ns pid
    for ns in "$NS-s" "$NS-c"; do
        for pid in $(ip netns pids "$ns" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null
        done
        ip netns del "$ns" 2>/dev/null
    done
    wait 2>/dev/null
    [ -z "$GROUP" ] || rmdir "$GROUP" 2>/dev/null
    rm -rf "$WORK"
}

# A machine of the network 10.80.0.0/12 has an address, and all of them are behind the client's link.
net_up() {
    NS=rb$BENCH$$
    WORK=$(mktemp -d)
    chmod 755 "$WORK" # servers give up their rights
    trap net_down EXIT
    trap 'exit 1' INT TERM HUP
    { ip netns add "$NS-s" && ip netns add "$NS-c"; } || die "cannot make network namespaces"
    ip link add rb0 netns "$NS-s" type veth peer name rb1 netns "$NS-c"
    ip -n "$NS-s" address add $SERVER/8 dev rb0
    ip -n "$NS-c" address add $CLIENT/8 dev rb1
    local end
    for end in s:lo s:rb0 c:lo c:rb1; do
        ip -n "$NS-${end%:*}" link set "${end#*:}" up
    done
    ip -n "$NS-s" route add 10.80.0.0/12 via $CLIENT
    ip -n "$NS-c" route add local 10.80.0.0/12 dev lo
    group_make
}

# A control group whose time is that of all its processes, also of those that ended; nothing is limited by it. Where
# there is none, /proc has the time of the process and of the children that it waited for.
group_make() {
    local base
    base=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$base" ] && mkdir "$base/$NS" 2>/dev/null && [ -e "$base/$NS/cpu.stat" ] && GROUP=$base/$NS
    [ -n "$GROUP" ] || say "no control group here: processor time is the main process's"
}

# launch COMMAND...: what it prints goes to a file, as a service manager would have it. It enters the group first: in a
# network namespace /sys is another.
launch() {
    # shellcheck disable=SC2016
    bash -c 'ulimit -n 65536 2>/dev/null; [ -z "$0" ] || echo $$ >"$0/cgroup.procs"; exec ip netns exec "$@"' \
        "$GROUP" "$NS-s" "$@" >"$WORK/log" 2>&1 </dev/null &
    PID=$!
}

alive() {
    kill -0 "$PID" 2>/dev/null
}

server_stop() {
    local pid
    kill "-${1:-TERM}" "$PID" 2>/dev/null || true
    wait "$PID" 2>/dev/null || true
    for pid in $(ip netns pids "$NS-s"); do # of its children
        kill -KILL "$pid" 2>/dev/null || true
    done
    PID=
}

# Of the server's processes, microseconds.
cpu_us() {
    if [ -n "$GROUP" ]; then
        awk '/^usage_usec/ { print $2 }' "$GROUP/cpu.stat"
    else
        awk -v hz="$(getconf CLK_TCK)" '{ printf "%.0f\n", ($14 + $15 + $16 + $17) * 1000000 / hz }' "/proc/$PID/stat"
    fi
}

# memory VmRSS|RssAnon: of the server's processes, MB; RssAnon is without the files that they mapped.
memory() {
    local pid
    for pid in $(ip netns pids "$NS-s"); do
        grep "^$1" "/proc/$pid/status" 2>/dev/null || true
    done | awk '{ kb += $2 } END { print kb / 1024 }'
}

# fake_kernel NAME BYTES: a source tree that answers as the kernel's does; nothing here boots.
fake_kernel() {
    local tree=$WORK/tree/$1
    mkdir -p "$tree" "$WORK/config/kernels"
    head -c "$2" /dev/urandom >"$tree/payload"
    printf 'config NET\n\tbool "Networking"\n' >"$tree/Kconfig"
    # shellcheck disable=SC2016
    printf '%s\n' 'allnoconfig:' $'\tcp $(KCONFIG_ALLCONFIG) $(O)/.config' 'bzImage:' \
        $'\tmkdir -p $(O)/arch/x86/boot' $'\tcp payload $(O)/arch/x86/boot/bzImage' $'\ttouch $(O)/vmlinux' >"$tree/Makefile"
    printf 'source: {tree: %s}\nfragments: []\nsymbols: {NET: y}\n' "$tree" >"$WORK/config/kernels/$1.yaml"
}

# The image beside them, and the artifacts of the configuration.
rambox_build() {
    mkdir -p "$WORK/config/images" "$WORK/config/nodes.d"
    printf '%s\n' 'base: no' 'busybox: none' 'compression: none' 'files:' \
        '  - {path: /init, content: "hello", mode: "0755"}' >"$WORK/config/images/tiny.yaml"
    "$RAMBOX" --config "$WORK/config" build --quiet >"$WORK/build.log" 2>&1 || die "rambox build failed: $(cat "$WORK/build.log")"
}

rambox_start() {
    launch "$RAMBOX" --config "$WORK/config" serve
}

# ---- results ----

# json FILE FIGURE: a figure that a tool wrote with --json.
json() {
    sed -n "s/^ *\"$2\": \([0-9.]*\),*\$/\1/p" "$1"
}

median() {
    sort -n | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# note KIND VALUE: one result more of this kind.
note() {
    [ -z "$2" ] || echo "$2" >>"$WORK/result.$1"
}

# The median of the results of a kind, or nothing.
m() {
    [ ! -e "$WORK/result.$1" ] || median <"$WORK/result.$1"
}

# ratios KIND [most|least] OTHER...: the median of the turns' ratios of KIND to the most of the others, or to the least.
# What else the machine does changes from turn to turn and is about the same within one.
ratios() {
    local kind sign=1 files=("$WORK/result.$1")
    shift
    case $1 in
    most) shift ;;
    least) sign=-1 && shift ;;
    esac
    for kind in "$@"; do [ ! -e "$WORK/result.$kind" ] || files+=("$WORK/result.$kind"); done
    [ -e "${files[0]}" ] || return 0
    paste "${files[@]}" | awk -v s=$sign 'NF > 1 { v = $2; for (i = 3; i <= NF; i++) if (s * ($i - v) > 0) v = $i; if (v) print $1 / v }' |
        median
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
