# shellcheck shell=bash
# The servers that bench/tftp/run measures, each set up as somebody would who wants it fast. Sourced after lib.sh.
#
#   serve_NAME    starts it; all serve the files of $WORK/root by the same names
#
# None logs a line for each transfer where that can be turned off (rambox writes one). Each may have as many transfers as
# are asked of it, and 65,536 descriptors if the machine lets it.

serve_rambox() {
    rambox_start
}

# The ceiling. It serves $FILE alone, with the options of the run.
serve_echo() {
    launch "$TOOLS/tftp-echo" $SERVER "$WORK/root/$FILE" "$BLKSIZE" "${WINDOWSIZE:-1}"
}

serve_dnsmasq() {
    launch dnsmasq -k -C /dev/null --port=0 -i rb0 --user=root --group=root --pid-file="$WORK/dnsmasq.pid" \
        --log-facility="$WORK/dnsmasq.log" --enable-tftp --tftp-root="$WORK/root" --tftp-max=20000 --quiet-tftp
}

# A process for each transfer.
serve_hpa() {
    launch in.tftpd -L --address $SERVER:69 --user nobody --secure "$WORK/root"
}

# A thread for each transfer. Its package cannot be installed beside tftpd-hpa's, so its program is taken out of it.
serve_atftpd() {
    launch "$ATFTPD" --daemon --no-fork --bind-address $SERVER --port 69 --user nobody.nogroup --maxthread 20000 \
        --tftpd-timeout 0 --no-multicast --verbose=0 --logfile "$WORK/atftpd.log" "$WORK/root"
}

# Sets $ATFTPD to the program, or to nothing when it cannot be had.
atftpd_find() {
    local folder=build/peers/atftpd
    ATFTPD=$(command -v atftpd || echo "$PWD/$folder/usr/sbin/atftpd")
    [ ! -x "$ATFTPD" ] || return 0
    mkdir -p $folder
    (cd $folder && apt-get -q download atftpd && dpkg-deb -x atftpd_*.deb .) >"$WORK/log" 2>&1 || true
    [ -x "$ATFTPD" ] || ATFTPD=
}
