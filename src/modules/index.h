/* What a node finds its modules by: one text for init, which reads it in one go, and depmod's texts of the
 * same modules, for modprobe on the node. Internal to src/modules.
 *
 * The node's index, `rambox.index` beside them (init/moduleindex.h reads it):
 *
 *     rambox modules 1
 *     m kernel/drivers/net/virtio_net.ko 2 ?5 +7     module 0: needs 2, is better with 5, brings 7 after it
 *     ...
 *     l 3                                            load 3 at once, in this order
 *     a virtio:d00000001v* 0                         a device with such an alias brings 0; sorted
 */
#pragma once

#include "base/str.h"
#include "modules/closure.h"

/* Each adds its text. */
void index_write(const struct closure *closure, struct str *text);
/* modules.dep: `PATH: PATH...`, what to load last first. */
void index_write_dep(const struct closure *closure, struct str *text);
/* Of depmod's `text` (`alias PATTERN NAME`, `softdep NAME ...`) the lines about these modules; the name is
 * word `word` from 0. */
void index_filter(const struct closure *closure, const char *lines, unsigned word, struct str *text);
