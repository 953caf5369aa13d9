/* What publish, check and the server's own publishing need from the builders (publish/publish.h): the
 * artifact that a definition builds to now, found and not built. */
#pragma once

#include "cli/command.h"
#include "publish/publish.h"

/* The context must outlive it. */
struct artifact_source built_artifacts(struct context *context);
