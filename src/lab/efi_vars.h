/* The variables of virtual UEFI firmware (EDK2's, as in OVMF_VARS_4M.fd): enrolling certificates of one's
 * own, as an owner does in the setup of a real machine.
 *
 * A store of variables is a flash volume: its header, that of the store, and the variables one behind the
 * other (EDK2's VariableFormat.h). What is written is what firmware itself would have written.
 */
#pragma once

#include "base/diag.h"

#include <stddef.h>
#include <stdint.h>

/* What a certificate is trusted for. */
enum lab_trust {
    LAB_TRUST_OWNER, /* platform key, key exchange key and the one signature that firmware accepts (PK, KEK,
                        db; UEFI §32), with Secure Boot on: programs that its key signed start, no others. The
                        store has no owner yet */
    LAB_TRUST_SHIM,  /* a machine owner's key: shim, and the GRUB behind it, start what its key signed, beside
                        what the distribution's did (as `mokutil --import` enrols it) */
    LAB_TRUST_TLS,   /* an authority whose servers UEFI HTTP boot talks to by https:// */
};

/* Copies the store `from` to `to` (mode 0600) and adds the certificate (a PEM file). 0; -EBADMSG: no such
 * store, or for LAB_TRUST_OWNER one that has a platform key already; -errno of a file; with diagnostics. */
int lab_vars_enroll(const char *from, const char *to, enum lab_trust trust, const char *certificate,
                    struct diags *diags);

/* The same in memory: adds it to a store of `size` bytes. `der`: the certificate. 0; -EBADMSG as above;
 * -ENOSPC: it does not fit. */
int lab_vars_add(void *store, size_t size, enum lab_trust trust, const void *der, size_t der_size);
