# shellcheck shell=bash
# What boot tests share: trees of a small image, QEMU nodes whose console is read and typed on, and TAP lines from cases
# that run two at a time. Sourced; it needs RAMBOX_TEST_KERNEL, RAMBOX_TEST_INIT and BusyBox (static).
#
#   case_NAME() { ... }        one boot; boot_cases runs those it is given
#   node NAME APPEND [QEMU...] starts a node on $work/base.cpio and, if there is one, $work/NAME.cpio
#   seen NAME REGEX [SECONDS]  waits until its console shows a line like this
#   check DESCRIPTION COMMAND  one TAP line, by the command's exit status
#
# Everything lives in $work, which goes when the script ends, as do the nodes.

# shellcheck disable=SC2034  # SECONDS a boot may take under TCG on a busy machine; the callers use it
boot_limit=${RAMBOX_TEST_BOOT_LIMIT:-90}
busybox=${RAMBOX_TEST_BUSYBOX:-$(command -v busybox)}

die() {
    echo "Bail out! $*"
    exit 1
}

boot_setup() {
    [ -f "${RAMBOX_TEST_KERNEL:-}" ] || die "RAMBOX_TEST_KERNEL names no kernel"
    [ -x "${RAMBOX_TEST_INIT:-}" ] || die "RAMBOX_TEST_INIT names no init"
    for tool in qemu-system-x86_64 cpio mke2fs python3 "${busybox:-busybox}"; do
        command -v "$tool" >/dev/null || die "$tool is missing"
    done
    work=$(mktemp -d)
    trap boot_cleanup EXIT
    trap 'exit 1' INT TERM HUP
}

boot_cleanup() {
    local pid
    for pid in $(cat "$work"/*.pid 2>/dev/null); do
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
}

# The folders and files of H12 to H16, with init as /init, /sbin/init and /sbin/rambox-report.
make_tree() {
    local tree=$1
    mkdir -p "$tree"/{dev,etc/{init,sysconfig},mnt,sys,usr/{local,bin,sbin},var,run,bin,sbin,proc,root,tmp}
    chmod 1777 "$tree/tmp"
    chmod 0700 "$tree/root"
    mknod -m 600 "$tree/dev/console" c 5 1 2>/dev/null || true
    cp "$RAMBOX_TEST_INIT" "$tree/init"
    ln "$tree/init" "$tree/sbin/init"
    ln "$tree/init" "$tree/sbin/rambox-report"
    cp "$busybox" "$tree/bin/busybox"
    ln -s busybox "$tree/bin/sh"
    echo 'export PATH=/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/sbin' >"$tree/etc/profile"
    echo rambox >"$tree/etc/hostname"
    cat >"$tree/etc/fstab" <<-'EOF'
	devpts /dev/pts devpts nosuid,noexec,gid=5,mode=0620 0 0
	tmpfs /dev/shm tmpfs nosuid,nodev,mode=0755 0 0
	tmpfs /run tmpfs nosuid,nodev,mode=0755 0 0
	sysfs /sys sysfs nosuid,nodev,noexec 0 0
	proc /proc proc nosuid,nodev,noexec 0 0
	EOF
}

# put FILE [MODE]: standard input becomes FILE
put() {
    mkdir -p "$(dirname "$1")"
    cat >"$1"
    chmod "${2:-755}" "$1"
}

pack() {
    (cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet) >"$2"
}

# node NAME APPEND [QEMU-ARGUMENTS...]. On a busy machine without KVM the kernel's test of its timer fails, and it panics:
# no_timer_check leaves that out.
node() {
    local name=$1 append=$2
    shift 2
    cat "$work/${BASE:-base}.cpio" >"$work/$name.initrd"
    [ ! -f "$work/$name.cpio" ] || cat "$work/$name.cpio" >>"$work/$name.initrd"
    mkfifo "$work/$name.keys"
    : >"$work/$name.log"
    exec {keys}<>"$work/$name.keys"
    timeout "$((boot_limit * 2))" qemu-system-x86_64 -accel tcg -m "${MEMORY:-64}" -smp 1 -no-reboot -display none \
        -vga none -monitor "unix:$work/$name.mon,server=on,wait=off" -serial stdio -nodefaults \
        -kernel "$RAMBOX_TEST_KERNEL" -initrd "$work/$name.initrd" -append "console=ttyS0 quiet no_timer_check $append" "$@" \
        <&"$keys" >"$work/$name.log" 2>&1 &
    node_pid=$!
    echo "$node_pid" >"$work/$name.pid"
}

# seen NAME REGEX [SECONDS]: whether the console shows it in time; the end of the node ends the wait
seen() {
    local end=$((SECONDS + ${3:-$boot_limit}))
    while ! grep -qaE -- "$2" "$work/$1.log"; do
        if ! kill -0 "$(cat "$work/$1.pid")" 2>/dev/null; then
            grep -qaE -- "$2" "$work/$1.log"
            return
        fi
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

unseen() {
    ! grep -qaE -- "$2" "$work/$1.log"
}

# Types a line on the node's console.
type_line() {
    printf '%s\n' "$2" >"$work/$1.keys"
}

# One command for QEMU's monitor.
monitor() {
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); time.sleep(0.2)
s.sendall(sys.argv[2].encode() + b"\n"); time.sleep(0.2)' "$work/$1.mon" "$2"
}

# Whether the node ends by itself (restart or power off) within the time.
gone() {
    local end=$((SECONDS + ${2:-$boot_limit}))
    while kill -0 "$(cat "$work/$1.pid")" 2>/dev/null; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

stop_node() {
    local pid
    pid=$(cat "$work/$1.pid")
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    rm -f "$work/$1.pid" "$work/$1.initrd"
}

# check DESCRIPTION COMMAND...: a line in the results of this case
check() {
    local description=$1
    shift
    if "$@"; then
        echo "ok - $description" >>"$work/$case_name.results"
    else
        {
            echo "not ok - $description"
            echo "# case $case_name: $*" | tr '\n' ' '
            echo
        } >>"$work/$case_name.results"
        : >"$work/$case_name.bad"
    fi
}

# Runs one case; a case that shows nothing has failed. A failure brings the console along.
run_case() {
    case_name=$1
    : >"$work/$case_name.results"
    "case_$case_name" >"$work/$case_name.out" 2>&1
    [ -s "$work/$case_name.results" ] || check "case $case_name shows something" false
    if [ -e "$work/$case_name.bad" ]; then
        tail -n 5 "$work/$case_name.out" | sed 's/^/# /' >>"$work/$case_name.results"
        tail -n 40 "$work/$case_name.log" 2>/dev/null | tr -d '\r' | sed 's/^/# | /' >>"$work/$case_name.results"
    fi
}

# Runs the cases named, two at a time, and prints their results in order. Returns 1 if one is not ok.
boot_cases() {
    local name running=()
    for name; do
        if [ "${#running[@]}" -ge "${RAMBOX_TEST_JOBS:-2}" ]; then
            wait -n "${running[@]}"
            mapfile -t running < <(jobs -pr)
        fi
        run_case "$name" &
        running+=($!)
    done
    wait
    for name; do
        cat "$work/$name.results"
    done | awk '
        { line[NR] = $0 }
        /^(not )?ok/ { count++ }
        END {
            print "1.." count
            for (i = 1; i <= NR; i++) {
                if (line[i] ~ /^(not )?ok/) sub(/ok/, "ok " ++n, line[i])
                if (line[i] ~ /^not/) bad = 1
                print line[i]
            }
            exit bad
        }'
}
