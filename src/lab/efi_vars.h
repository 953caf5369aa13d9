/* The variables of virtual UEFI firmware (EDK2's, as in OVMF_VARS_4M.fd): enrolling a key of one's own for
 * Secure Boot, as an owner does in the setup of a real machine.
 *
 * A store of variables is a flash volume: its header, that of the store, and the variables one behind the
 * other (EDK2's VariableFormat.h). What is written is what firmware itself would have written.
 */
#pragma once

#include "base/diag.h"

#include <stddef.h>
#include <stdint.h>

/* Copies the empty store `from` to `to` (mode 0600) and makes the certificate (a PEM file) platform key, key
 * exchange key and the one signature that firmware accepts (PK, KEK, db; UEFI §32), with Secure Boot on.
 * Programs that its key signed start, no others. 0; -EBADMSG: no such store, or one that has a platform key
 * already; -errno of a file; with diagnostics. */
int lab_vars_enroll(const char *from, const char *to, const char *certificate, struct diags *diags);

/* The same in memory: adds them to a store of `size` bytes. `der`: the certificate. 0; -EBADMSG as above;
 * -ENOSPC: it does not fit. */
int lab_vars_add_keys(void *store, size_t size, const void *der, size_t der_size);
