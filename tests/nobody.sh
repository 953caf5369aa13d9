# shellcheck shell=bash
# Running rambox as a user who may do nothing. Sourced; $work must be open to everybody. The source tree may stand where
# only its owner can read (a home folder), so that user gets a copy of the program:
#
#     nobody_setup
#     "${nobody[@]}" [SETPRIV-OPTION...] "$nobody_rambox" ARGUMENT...

# shellcheck disable=SC2034 # the callers use both
nobody_setup() {
    local copy=$work/nobody
    mkdir -p "$copy/libexec"
    cp "$RAMBOX" "$copy/rambox"
    cp -r "$RAMBOX_SHARE" "$copy/share"
    cp "$RAMBOX_LIBEXEC/rambox-init" "$copy/libexec/"
    chmod -R a+rX "$copy"
    nobody=(env -C / "RAMBOX_SHARE=$copy/share" "RAMBOX_LIBEXEC=$copy/libexec"
        setpriv --reuid 65534 --regid 65534 --clear-groups)
    nobody_rambox=$copy/rambox
}
