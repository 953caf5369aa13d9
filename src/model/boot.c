/* See model/boot.h. */
#include "model/boot.h"

const char *boot_stage_name(enum boot_stage stage)
{
    static const char *const names[] = {
        [STAGE_DISCOVER] = "discover", [STAGE_OFFER] = "offer",       [STAGE_ACK] = "ack",
        [STAGE_LOADER] = "loader",     [STAGE_CONFIG] = "config",     [STAGE_KERNEL] = "kernel",
        [STAGE_IMAGE] = "image",       [STAGE_LOADED] = "loaded",     [STAGE_INIT] = "init",
        [STAGE_READY] = "ready",       [STAGE_STOPPING] = "stopping", [STAGE_FAILED] = "failed",
    };
    return names[stage];
}
