/* How QEMU runs a guest's processor: by the hardware (kvm), or by translation (tcg). */
#pragma once

#include "base/diag.h"

enum lab_accel { LAB_ACCEL_AUTO, LAB_ACCEL_KVM, LAB_ACCEL_TCG };
const char *lab_accel_name(enum lab_accel accel);                 /* `auto`, `kvm`, `tcg` */
int lab_accel_parse(const char *name, enum lab_accel *ret_accel); /* 0 or -EINVAL */

/* What LAB_ACCEL_AUTO means here: runs a guest of a few instructions, firmware included, under kvm for at
 * most three seconds; on some machines /dev/kvm opens and guests die or hang all the same. Returns
 * LAB_ACCEL_KVM or LAB_ACCEL_TCG; the answer is remembered. Anything but AUTO is returned as it is. */
enum lab_accel lab_accel_resolve(enum lab_accel accel);
